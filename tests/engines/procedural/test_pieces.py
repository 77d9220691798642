from __future__ import annotations

from textwrap import dedent

from app.engines._procedural.candidates import Candidate, candidates
from app.engines._procedural.chance import seeded
from app.engines._procedural.fallback import word_tables
from app.engines._procedural.pieces import survey, try_out
from app.engines._procedural.samples import Samples

SEED = "size = 10\nwords = 'alpha beta gamma'\n"


def tried(source: str) -> tuple[str, tuple[str, ...], str] | None:
    piece = try_out(Candidate(dedent(source).strip(), "", "function"), Samples(SEED))
    return (piece.source, piece.kinds, piece.result) if piece else None


def test_kinds_come_from_use_and_trial() -> None:
    assert tried("def part(path, sep):\n    return path.split(sep)") == (
        "def part(path, sep):\n    return path.split(sep)",
        ("str", "str"),
        "strs",
    )
    found = tried("def total(sizes, factor):\n    return sum(sizes) * factor + 1")
    assert found is not None
    assert found[1:] == (("ints", "int"), "int")


def test_branches_that_are_never_taken_are_trimmed() -> None:
    found = tried(
        """
        def show(name):
            if isinstance(name, str):
                label = name.upper()
            else:
                label = None
            return label + '!'
        """
    )
    assert found is not None
    assert found[0] == "def show(name):\n    label = name.upper()\n    return label + '!'"


def test_functions_that_fail_run_forever_or_hand_back_their_arguments_make_no_piece() -> None:
    assert tried("def fail(x):\n    return x.lower() + 1") is None
    assert tried("def endless(n):\n    while True:\n        n = n + 1\n    return n") is None
    assert tried("def echo(x):\n    return (x, None)") is None
    assert tried("def constant(x):\n    return len(x) * 0") is None


def test_one_piece_of_each_shape() -> None:
    seed = "a = cache['x'] + 1\nb = cache['y'] + 1\n"
    assert len(survey(candidates(seed), Samples(seed))) == 2  # cache[...] + 1 and cache[...]


def test_a_seed_without_code_still_gives_pieces() -> None:
    samples = Samples("nothing here runs, but there are words in it")
    assert len(survey(word_tables(samples, seeded("spare")), samples)) >= 4
