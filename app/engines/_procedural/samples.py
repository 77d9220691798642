"""Values to try: drawn from the words, texts and numbers of the seed beside general ones."""

from __future__ import annotations

import re
from random import Random

_SEPARATORS = " -_,./=:"
_WORD = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,12}(?![A-Za-z])")
_TEXT = re.compile(r"""['"]([^'"\n\\]{1,12})['"]""")
_NUMBER = re.compile(r"\b\d{1,3}\b")


class Samples:
    """The values of one seed. `size` bounds how long texts and lists get."""

    def __init__(self, seed_text: str) -> None:
        self.words: list[str] = sorted(set(_WORD.findall(seed_text)))[:60] or ["a", "word"]
        self.texts: list[str] = sorted({text for text in _TEXT.findall(seed_text) if "__" not in text})[:20]
        self.numbers = sorted({int(number) for number in _NUMBER.findall(seed_text)})[:12]

    def draw(self, kind: str, rng: Random, size: int = 6) -> object:
        """A value of the kind."""
        match kind:
            case "int":
                return self.number(rng)
            case "str":
                return self.text(rng, size)
            case "bool":
                return rng.random() < 0.5
            case "float":
                return rng.randint(-40, 200) / 4
            case "bytes":
                return bytes(rng.choice(b"abcxyz019 -\x00\xff") for _ in range(rng.randint(0, 2 * size)))
            case "ints":
                return [self.number(rng) for _ in range(rng.randint(1, size))]
            case "strs":
                return [self.word(rng) for _ in range(rng.randint(1, size))]
            case "tuple":
                return tuple(self.number(rng) for _ in range(rng.randint(1, 4)))
            case "pairs":
                return [(rng.choice(self.words), rng.randint(0, 40)) for _ in range(rng.randint(1, size))]
            case "table":
                return {self.word(rng): rng.randint(0, 40) for _ in range(rng.randint(1, size))}
            case _:
                return None

    def arguments(self, kinds: tuple[str, ...], rng: Random, size: int = 6) -> tuple[object, ...]:
        return tuple(self.draw(kind, rng, size) for kind in kinds)

    def number(self, rng: Random) -> int:
        if self.numbers and rng.random() < 0.25:
            return rng.choice(self.numbers)
        return rng.choice([rng.randint(0, 9), rng.randint(-20, 60), rng.randint(0, 400)])

    def word(self, rng: Random) -> str:
        return rng.choice(self.words + self.texts)

    def text(self, rng: Random, size: int) -> str:
        """A word, a phrase, a name with a separator in it, a row of numbers, or now and then noise."""
        luck = rng.random()
        if luck < 0.2 and self.texts:
            return rng.choice(self.texts)
        if luck < 0.4:
            return rng.choice(self.words)
        if luck < 0.75:
            return rng.choice(_SEPARATORS).join(self.word(rng) for _ in range(rng.randint(1, max(2, size // 2))))
        if luck < 0.83:
            return " ".join(str(rng.randint(0, 40)) for _ in range(rng.randint(1, size)))
        if luck < 0.93:
            return "".join(rng.choice("abcxyzAB 01.-_%") for _ in range(rng.randint(0, 2 * size)))
        return str(rng.randint(0, 999))


def size_of(arguments: tuple[object, ...]) -> int:
    """The `size` under which arguments such as these are drawn."""
    longest = 3
    for value in arguments:
        if isinstance(value, str | bytes):
            longest = max(longest, len(value) // 3)
        elif isinstance(value, list | dict):
            longest = max(longest, len(value))
    return min(14, longest)
