"""Properties of a function that hold for most of its inputs: how results relate to inputs, to other results, to bounds.

Every property speaks of the function's result; in its code `result` is f's value on the arguments.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from app.engines._procedural.kinds import kind_of

_QUANTILES = (0.7, 0.8, 0.9, 0.95, 0.98)
_SIZED = ("str", "ints", "strs", "list", "tuple", "table", "bytes")


class Property(NamedTuple):
    code: str
    sentence: str


Calls = Sequence[tuple[tuple[object, ...], object]]


def properties(kinds: dict[str, str], calls: Calls, rng: Random) -> list[Property]:
    """Candidates for a function with these parameters that gave these values."""
    shown = [kind_of(value) for _, value in calls]
    kind = max(sorted(set(shown)), key=shown.count)
    values = [value for _, value in calls if kind_of(value) == kind]
    found = [*_of_result(kind, values, rng), *_of_arguments(kinds, kind), *_of_change(kinds, kind)]
    found += _where(kinds, calls, kind, rng)
    if kind != "bool":
        value = rng.choice(values)
        found.append(Property(f"result != {value!r}", f"The result is never {value!r}."))
    return found


def weaker(first: Property, second: Property) -> Property:
    """Broken only where both are."""
    return Property(f"{first.code} or {second.code}", f"{first.sentence} Or else: {second.sentence}")


def _of_result(kind: str, values: list[object], rng: Random) -> Iterator[Property]:
    """What every result is like."""
    quantile = rng.choice(_QUANTILES)

    def bound(measures: list[int]) -> int:
        return sorted(measures)[int(len(measures) * quantile)]

    if kind in ("int", "float"):
        numbers = [value for value in values if isinstance(value, int | float)]
        high = bound([int(number) for number in numbers])
        low = -bound([-int(number) for number in numbers])
        yield Property(f"result <= {high}", f"The result is at most {high}.")
        yield Property(f"result >= {low}", f"The result is at least {low}.")
        modulus, rest = rng.randint(2, 40), rng.randint(0, 3)
        yield Property(
            f"result % {modulus} != {rest % modulus}", f"The result is never {rest % modulus} modulo {modulus}."
        )
    if kind in _SIZED:
        lengths = [len(value) for value in values if hasattr(value, "__len__")]
        high = bound(lengths)
        length = rng.choice(lengths)
        yield Property(f"len(result) <= {high}", f"The result has at most {high} items.")
        yield Property(f"len(result) != {length}", f"The result never has exactly {length} items.")
    if kind == "str":
        letter = rng.choice("".join(map(str, values)) or "a")
        yield Property(f"{letter!r} not in result", f"The result is free of {letter!r}.")
        yield Property(f"not result.startswith({letter!r})", f"The result does not start with {letter!r}.")
        yield Property(f"not result.endswith({letter!r})", f"The result does not end with {letter!r}.")
        yield Property("result == result.strip()", "The result has no white space around it.")
        yield Property("result == result.lower()", "The result is in lower case.")
        length = len(str(rng.choice(values)))
        yield Property(
            f"result != result[::-1] or len(result) != {length}", f"No result of length {length} is a palindrome."
        )
    if kind in ("ints", "strs"):
        yield Property("len(set(result)) == len(result)", "No item of the result occurs twice.")
        yield Property("result == sorted(result)", "The result is sorted.")
        yield Property("result[:1] != result[-1:] or len(result) < 2", "The result does not end as it begins.")
        items = [item for value in values if isinstance(value, list) for item in value]
        item = rng.choice(items)
        yield Property(f"{item!r} not in result", f"The result is free of {item!r}.")
    if kind == "ints":
        modulus = rng.randint(3, 30)
        yield Property(f"sum(result) % {modulus} != 0", f"The result never adds up to a multiple of {modulus}.")
        most = bound([max(value) for value in values if isinstance(value, list)])
        yield Property(f"max(result, default=0) <= {most}", f"No item of the result is above {most}.")
    if kind == "bool":
        yield Property("result is True", "The result is always True.")
        yield Property("result is False", "The result is always False.")


def _of_arguments(kinds: dict[str, str], kind: str) -> Iterator[Property]:
    """How the result compares with an argument."""
    for name, takes in kinds.items():
        if takes in ("str", "ints", "strs") and kind in ("str", "ints", "strs", "list"):
            yield Property(f"len(result) <= len({name})", f"The result is no longer than {name}.")
            yield Property(f"len(result) >= len({name}) - 1", f"The result is at most one item shorter than {name}.")
        if takes == kind and takes in ("str", "int", "ints", "strs"):
            yield Property(f"result != {name}", f"The result differs from {name}.")
        if takes == kind == "int":
            yield Property(f"result >= {name}", f"The result is not below {name}.")
        if takes in ("str", "ints", "strs") and kind == "int":
            yield Property(f"result != len({name})", f"The result is not the length of {name}.")


_CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "str": (
        ("{0}.lower()", "Lower-casing {0}"),
        ("{0}.strip()", "Stripping {0}"),
        ("{0}[::-1]", "Reversing {0}"),
        ("{0} + {0}", "Repeating {0}"),
        ("{0}[1:]", "Dropping the first character of {0}"),
    ),
    "ints": (
        ("sorted({0})", "Sorting {0}"),
        ("{0}[::-1]", "Reversing {0}"),
        ("{0} + {0}", "Repeating {0}"),
        ("{0}[1:]", "Dropping the first item of {0}"),
    ),
    "strs": (
        ("sorted({0})", "Sorting {0}"),
        ("{0}[::-1]", "Reversing {0}"),
        ("{0} + {0}", "Repeating {0}"),
        ("[item.lower() for item in {0}]", "Lower-casing the items of {0}"),
    ),
    "int": (
        ("{0} + 1", "Raising {0} by one"),
        ("-{0}", "Changing the sign of {0}"),
        ("{0} * 2", "Doubling {0}"),
        ("{0} % 10", "Keeping only the last digit of {0}"),
    ),
    "bool": (("not {0}", "Negating {0}"),),
    "table": (("dict(sorted({0}.items()))", "Sorting the entries of {0}"),),
}


def _of_change(kinds: dict[str, str], kind: str) -> Iterator[Property]:
    """How the result changes with an argument."""
    names = list(kinds)
    for name, takes in kinds.items():
        for change, words in _CHANGES.get(takes, ()):
            arguments = ", ".join(change.format(name) if other == name else other for other in names)
            yield Property(f"f({arguments}) == result", f"{words.format(name)} makes no difference.")
            yield Property(f"f({arguments}) != result", f"{words.format(name)} changes the result.")
        if takes == kind == "int":
            arguments = ", ".join(f"{name} + 1" if other == name else other for other in names)
            yield Property(f"f({arguments}) >= result", f"Raising {name} by one never lowers the result.")
    for first, second in itertools.pairwise(names):
        if kinds[first] == kinds[second]:
            swapped = {first: second, second: first}
            arguments = ", ".join(swapped.get(name, name) for name in names)
            yield Property(f"f({arguments}) == result", f"It makes no difference which is {first} and which {second}.")
            yield Property(f"f({arguments}) != result", f"It makes a difference which is {first} and which {second}.")
    if len(kinds) == 1 and kinds[names[0]] == kind and kind in ("str", "int", "ints", "strs"):
        yield Property("f(result) == result", "Applying f twice gives what applying it once gives.")


def _where(kinds: dict[str, str], calls: Calls, kind: str, rng: Random) -> Iterator[Property]:
    """What the result is where an argument is large or small."""
    if kind != "bool":
        return
    for place, (name, takes) in enumerate(kinds.items()):
        sized = takes in _SIZED
        if takes != "int" and not sized:
            continue
        measure = f"len({name})" if sized else name
        drawn: list[Any] = [arguments[place] for arguments, _ in calls]
        bound = rng.choice([len(value) for value in drawn] if sized else drawn)
        yield Property(f"result or {measure} <= {bound}", f"Where {measure} is above {bound}, the result is True.")
        yield Property(f"result or {measure} >= {bound}", f"Where {measure} is below {bound}, the result is True.")
        yield Property(f"not result or {measure} <= {bound}", f"Where {measure} is above {bound}, the result is False.")
        yield Property(f"not result or {measure} >= {bound}", f"Where {measure} is below {bound}, the result is False.")
