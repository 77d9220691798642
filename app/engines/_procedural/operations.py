"""General steps that lengthen a program: what is done to the value so far, and how one says it.

In `code`, `_` is the value so far and K, M, C, S, W are constants drawn for each use: a small factor, a modulus, an
offset, a separator and a word of the seed. Longer steps call a helper function, which the program then carries.
"""

from __future__ import annotations

import ast
from functools import cached_property, lru_cache
from random import Random

from app.engines._procedural.samples import Samples

CONSTANTS = ("K", "M", "C", "S", "W")
_MODULI = (5, 7, 11, 13, 26, 37, 64, 97, 211, 509)


class Operation:
    """A step from values of kind `takes` to values of kind `gives`, called `noun` afterwards."""

    def __init__(self, takes: str, code: str, gives: str, noun: str, phrase: str) -> None:
        self.takes = takes
        self.code = code
        self.gives = gives
        self.noun = noun
        self.phrase = phrase

    @cached_property
    def template(self) -> ast.expr:
        return ast.parse(self.code, mode="eval").body

    @property
    def helper(self) -> str | None:
        """The name of the helper function that it calls."""
        match self.template:
            case ast.Call(func=ast.Name(id=name)) if name in HELPERS:
                return name
        return None

    def drawn(self, rng: Random, samples: Samples) -> ast.expr:
        """The step with constants filled in."""
        constants: dict[str, object] = {
            "K": rng.randint(2, 5),
            "M": rng.choice(_MODULI),
            "C": rng.randint(1, 40),
            "S": rng.choice(" ,-_./=:"),
            "W": rng.choice(samples.words)[:3].lower(),
        }
        return ast.parse(_Fill(constants).text(self.code), mode="eval").body

    def constants_in(self, step: ast.expr) -> dict[str, object] | None:
        """The constants with which this operation is `step`; None where it is another."""
        found: dict[str, object] = {}
        return found if _matches(self.template, step, found) else None


class _Fill(ast.NodeTransformer):
    def __init__(self, constants: dict[str, object]) -> None:
        self._constants = constants

    def text(self, code: str) -> str:
        return ast.unparse(self.visit(ast.parse(code, mode="eval")))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self._constants[node.id]) if node.id in self._constants else node


def _matches(template: object, step: object, found: dict[str, object]) -> bool:
    if isinstance(template, ast.Name) and template.id in CONSTANTS:
        return isinstance(step, ast.Constant) and found.setdefault(template.id, step.value) == step.value
    if isinstance(template, list):
        return (
            isinstance(step, list)
            and len(template) == len(step)
            and all(_matches(a, b, found) for a, b in zip(template, step, strict=True))
        )
    if isinstance(template, ast.AST):
        return type(template) is type(step) and all(
            _matches(getattr(template, field, None), getattr(step, field, None), found) for field in template._fields
        )
    return type(template) is type(step) and template == step


@lru_cache(maxsize=1)
def operations() -> dict[str, tuple[Operation, ...]]:
    """All operations by the kind that they take."""
    by_kind: dict[str, tuple[Operation, ...]] = {}
    for takes, rows in _TABLE.items():
        by_kind[takes] = tuple(Operation(takes, *row) for row in rows)
    return by_kind


def recognise(step: ast.expr) -> tuple[Operation, dict[str, object]] | None:
    """The operation that `step` is, with its constants."""
    for rows in operations().values():
        for operation in rows:
            constants = operation.constants_in(step)
            if constants is not None:
                return operation, constants
    return None


# code, gives, noun, phrase
_TABLE: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "int": (
        ("_ * K + C", "int", "number", "multiply it by {K} and add {C}"),
        ("_ % M", "int", "remainder", "take the remainder modulo {M}"),
        ("abs(_) // K", "int", "quotient", "drop its sign and divide by {K}, rounding down"),
        ("bin(abs(_))[2:]", "str", "bits", "write its absolute value in binary"),
        ("[int(digit) for digit in str(abs(_))]", "ints", "digits", "list its decimal digits"),
        ("str(_)", "str", "text", "write it in decimal"),
        ("_ ^ C", "int", "number", "combine it with {C} by exclusive or"),
        ("[_ % divisor for divisor in range(1, K + 3)]", "ints", "remainders",
         "list its remainders modulo 1, 2 and so on up to {K} + 2"),
        ("_ + C if _ % 2 else _ // 2", "int", "number", "add {C} if it is odd, otherwise halve it"),
        ("recurrence(_, K)", "int", "term",
         "take the term at that position, modulo 9, of the recurrence that adds {K} times the last term to the one "
         "before it, modulo 1000"),
        ("halving_steps(_, M)", "int", "steps",
         "count the steps of halving even and tripling odd numbers (plus one) until 1, at most {M}"),
        ("stir(_, K)", "int", "number", "stir it in {K} rounds: triple it modulo 101 and add the round"),
    ),
    "str": (
        ("_.lower()", "str", "text", "turn it into lower case"),
        ("_.upper()", "str", "text", "turn it into upper case"),
        ("_[::-1]", "str", "text", "reverse it"),
        ("_.split(S)", "strs", "parts", "split it at every {S}"),
        ("len(_)", "int", "length", "take its length"),
        ("_.replace(S, W)", "str", "text", "replace every {S} by {W}"),
        ("sorted(_)", "strs", "letters", "sort its characters"),
        ("[ord(letter) for letter in _]", "ints", "codes", "list the code points of its characters"),
        ("_ + W", "str", "text", "append {W}"),
        ("_.title()", "str", "text", "capitalise each word"),
        ("''.join(letter for letter in _ if letter not in W)", "str", "text",
         "keep only the characters that do not occur in {W}"),
        ("sum(ord(letter) for letter in _) % M", "int", "checksum", "add up its code points modulo {M}"),
        ("_.strip(S)", "str", "text", "strip {S} from both ends"),
        ("_[K:] + _[:K]", "str", "text", "move its first {K} characters to the end"),
        ("_.count(S)", "int", "count", "count how often {S} occurs"),
        ("[word[::-1] for word in _.split(S)]", "strs", "words", "split it at every {S} and reverse each part"),
        ("run_lengths(_)", "str", "runs", "write each run of equal characters as the character and its length"),
        ("shift_letters(_, K)", "str", "text", "shift each lower-case letter {K} places along the alphabet"),
        ("letter_counts(_)", "table", "counts", "count how often each character occurs"),
        ("rolling_hash(_, C, K, M)", "int", "digest",
         "fold its characters from {C} on: multiply by {K}, add the code point, modulo {M}"),
        ("_.swapcase()", "str", "text", "swap upper and lower case"),
        ("_[::K]", "str", "text", "keep every character at a multiple of {K}"),
    ),
    "ints": (
        ("sum(_)", "int", "total", "add them up"),
        ("max(_)", "int", "largest", "take the largest"),
        ("sorted(_)", "ints", "ordered", "sort them"),
        ("[number * K + C for number in _]", "ints", "numbers", "multiply each by {K} and add {C}"),
        ("[number for number in _ if number % K]", "ints", "numbers", "drop the multiples of {K}"),
        ("[after - before for before, after in zip(_, _[1:])]", "ints", "differences",
         "take the differences of neighbours"),
        ("_[::-1]", "ints", "numbers", "reverse their order"),
        ("len(_)", "int", "count", "count them"),
        ("_[::2]", "ints", "numbers", "keep every second one, beginning with the first"),
        ("running_totals(_)", "ints", "totals", "replace each by the total so far"),
        ("sum(number * place for place, number in enumerate(_, 1))", "int", "total",
         "add them up, each times its position from 1"),
        ("_ + [C]", "ints", "numbers", "append {C}"),
        ("walk(_, C, K, M)", "int", "state",
         "walk through them from {C}: where the sum with the state is even take it, otherwise multiply the state by {K} "
         "modulo {M}"),
        ("[number % M for number in _]", "ints", "remainders", "take each modulo {M}"),
        ("','.join(str(number) for number in _)", "str", "text", "join them with commas"),
        ("[number for number in _ if number > C]", "ints", "numbers", "keep those above {C}"),
        ("min(_)", "int", "smallest", "take the smallest"),
    ),
    "strs": (
        ("S.join(_)", "str", "text", "join them with {S}"),
        ("sorted(_)", "strs", "ordered", "sort them"),
        ("[len(word) for word in _]", "ints", "lengths", "take the length of each"),
        ("[word.upper() for word in _]", "strs", "words", "turn each into upper case"),
        ("[word for word in _ if len(word) > K]", "strs", "words", "keep those longer than {K} characters"),
        ("len(_)", "int", "count", "count them"),
        ("_[::-1]", "strs", "words", "reverse their order"),
        ("''.join(word[:1] for word in _)", "str", "initials", "join their first characters"),
        ("length_counts(_)", "table", "counts", "count how many there are of each length"),
        ("max(_, key=len)", "str", "longest", "take the first of the longest"),
        ("[word + str(place) for place, word in enumerate(_)]", "strs", "words",
         "append to each its position from 0"),
        ("[word[::-1] for word in _]", "strs", "words", "reverse each"),
        ("sorted(_, key=len)", "strs", "ordered", "sort them by length"),
    ),
    "table": (
        ("sorted(_.items(), key=str)", "list", "entries", "list its entries in the order of their text"),
        ("list(_)", "list", "keys", "list its keys"),
        ("len(_)", "int", "count", "count its entries"),
        ("sum(_.values())", "int", "total", "add up its values"),
        ("[str(key) for key in _]", "strs", "keys", "list its keys as text"),
        ("list(_.values())", "list", "values", "list its values"),
    ),
    "bool": (
        ("[_, not _]", "list", "flags", "pair it with its opposite"),
        ("K if _ else C", "int", "number", "give {K} if it is true and {C} if not"),
        ("str(_)", "str", "text", "write it as text"),
    ),
    "bytes": (
        ("list(_)", "ints", "codes", "list its bytes as numbers"),
        ("_.hex()", "str", "text", "write it in hexadecimal"),
        ("len(_)", "int", "length", "take its length"),
        ("_[::-1]", "bytes", "data", "reverse it"),
    ),
    "float": (
        ("int(_ * K)", "int", "number", "multiply it by {K} and cut off the fraction"),
        ("round(_) % M", "int", "remainder", "round it and take the remainder modulo {M}"),
        ("str(_)", "str", "text", "write it in decimal"),
    ),
    "tuple": (
        ("list(_)", "list", "items", "turn it into a list"),
        ("len(_)", "int", "count", "count its items"),
        ("_[::-1]", "tuple", "items", "reverse it"),
        ("[str(item) for item in _]", "strs", "words", "write each item as text"),
        ("_[0]", "int", "item", "take its first item"),
        ("_[-1]", "int", "item", "take its last item"),
    ),
    "list": (
        ("[str(item) for item in _]", "strs", "words", "write each item as text"),
        ("len(_)", "int", "count", "count the items"),
        ("_[::-1]", "list", "items", "reverse the order"),
        ("_[-1]", "int", "item", "take the last item"),
        ("[item for item in _ if item]", "list", "items", "drop the empty items"),
    ),
    "pairs": (
        ("dict(_)", "table", "table", "turn them into a dictionary"),
        ("[pair[0] for pair in _]", "strs", "names", "keep the first of each pair"),
        ("sum(pair[1] for pair in _)", "int", "total", "add up the second of each pair"),
        ("sorted(_)", "pairs", "ordered", "sort them"),
    ),
}  # fmt: skip

HELPERS: dict[str, str] = {
    "recurrence": """def recurrence(number, factor):
    terms = [0, 1]
    for place in range(abs(number) % 9):
        terms.append((terms[-1] * factor + terms[-2]) % 1000)
    return terms[-1]""",
    "halving_steps": """def halving_steps(number, limit):
    number = abs(number) + 1
    steps = 0
    while number > 1 and steps < limit:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps""",
    "stir": """def stir(number, rounds):
    for step in range(rounds):
        number = number * 3 % 101 + step
    return number""",
    "run_lengths": """def run_lengths(text):
    runs = []
    for letter in text:
        if runs and runs[-1][0] == letter:
            runs[-1][1] += 1
        else:
            runs.append([letter, 1])
    return ''.join(letter + str(length) for letter, length in runs)""",
    "shift_letters": """def shift_letters(text, places):
    shifted = ''
    for letter in text:
        if 'a' <= letter <= 'z':
            letter = chr((ord(letter) - ord('a') + places) % 26 + ord('a'))
        shifted += letter
    return shifted""",
    "letter_counts": """def letter_counts(text):
    counts = {}
    for letter in text:
        counts[letter] = counts.get(letter, 0) + 1
    return counts""",
    "rolling_hash": """def rolling_hash(text, start, factor, modulus):
    digest = start
    for letter in text:
        digest = (digest * factor + ord(letter)) % modulus
    return digest""",
    "running_totals": """def running_totals(numbers):
    total = 0
    totals = []
    for number in numbers:
        total += number
        totals.append(total)
    return totals""",
    "walk": """def walk(numbers, start, factor, modulus):
    state = start
    for number in numbers:
        if (state + number) % 2 == 0:
            state += number
        else:
            state = state * factor % modulus
    return state""",
    "length_counts": """def length_counts(words):
    counts = {}
    for word in words:
        counts[len(word)] = counts.get(len(word), 0) + 1
    return counts""",
}
