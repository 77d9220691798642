"""Which values are the same, by a table that can be read: thousands of its pairs go through `cairn verify`.

The reference is the table itself. Each row holds the spellings of one value; two spellings are the same value if they
stand in one row, and in no other case. None of Cairn's code decides what is expected.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# Rows whose values Python's own `==` holds to be equal stand near each other: those are the traps.
TABLE: list[list[str]] = [
    ["None"],
    ["False"],
    ["0", "-0", "+0", "0x0", "0b0", "00"],
    ["0.0", "0.", ".0", "0e5", "+0.0"],
    ["-0.0", "-0.", "-0e9"],
    ["0j", "0.0j", "complex(0.0, 0.0)"],
    ["complex(-0.0, 0.0)"],
    ["complex(0.0, -0.0)"],
    ["True"],
    ["1", "+1", "0x1", "0b1"],
    ["1.0", "1e0", "1.", "0.1e1", "1.00000000000000000001"],
    ["complex(1.0, 0.0)", "complex(1, 0)"],
    ["-1"],
    ["-1.0"],
    ["2"],
    ["0.1", "1e-1", ".1", "0.1000000000000000055511151231257827"],
    ["0.30000000000000004"],
    ["0.3"],
    ["1e400", "inf", "float('inf')", "float('Infinity')"],
    ["-inf", "float('-inf')", "-1e999"],
    ["nan", "float('nan')", "-nan", "float('-nan')"],
    ["complex(nan, 0.0)"],
    ["complex(0.0, nan)"],
    ["5e-324", "4.9e-324"],
    ["9007199254740992"],
    ["9007199254740993"],
    ["9007199254740992.0", "9007199254740993.0"],
    ["1" + "0" * 400, "1_" + "0" * 400],
    ["1" + "0" * 399 + "1"],
    ["0x1" + "0" * 1_500],
    ["''", '""', "'' ''", "r''"],
    ["b''", 'b""'],
    ["'0'", '"0"', r"'\x30'"],
    ["b'0'", r"b'\x30'"],
    ["'a'", r"'\u0061'", r"'\N{LATIN SMALL LETTER A}'"],
    ["'a '"],
    ["'A'"],
    ["b'a'"],
    [r"'\xe9'", "'é'"],
    [r"'e\u0301'"],
    [r"b'\xc3\xa9'"],
    [r"'\0'", r"'\x00'"],
    [r"'\\0'", r"r'\0'"],
    [r"'\ud800'"],
    [r"'\ud800\udc00'"],
    [r"'\U00010000'", "'𐀀'"],
    ["()"],
    ["[]", "[ ]"],
    ["{}", "{ }"],
    ["set()"],
    ["frozenset()", "frozenset([])", "frozenset(())"],
    ["(1,)", "1,", "( 1 , )"],
    ["[1]", "[1,]"],
    ["{1}", "{1, 1}"],
    ["frozenset({1})", "frozenset([1])"],
    ["{1: 1}"],
    ["(True,)"],
    ["[True]"],
    ["{True}"],
    ["{True: 1}"],
    ["{1: True}"],
    ["(1.0,)"],
    ["[1.0]"],
    ["{1.0}"],
    ["{1.0: 1}"],
    ["[nan]", "[float('nan')]"],
    ["{nan}"],
    ["{nan: 1}"],
    ["[0.0]"],
    ["[-0.0]"],
    ["{0.0: 1}"],
    ["{-0.0: 1}"],
    ["[1, 2]"],
    ["[2, 1]"],
    ["(1, 2)", "1, 2"],
    ["{1, 2}", "{2, 1}", "{2, 1, 2}"],
    ["frozenset({1, 2})", "frozenset([2, 1])"],
    ["{1: 2, 3: 4}", "{3: 4, 1: 2}", "{3: 4, 1: 0, 1: 2}"],
    ["{1: 4, 3: 2}"],
    ["{1: [2]}"],
    ["{1: (2,)}"],
    ["{1: [2.0]}"],
    ["[[]]"],
    ["[()]"],
    ["([],)"],
    ["((),)"],
    ["[[], []]"],
    ["[None]"],
    ["[0]"],
    ["[False]"],
    ["['']"],
    ["{frozenset({1})}", "{frozenset([1])}"],
    ["{frozenset({True})}"],
    ["{(1, 2)}"],
    ["{(1, 2.0)}"],
    ["{'a': {'b': [1, (2, {3})]}}"],
    ["{'a': {'b': [1, (2, {3.0})]}}"],
    ["{'a': {'b': [1, [2, {3}]]}}"],
    ["{b'a': 1}"],
    ["{'a': 1}"],
    ["{None: 1}"],
    ["[[[[[[[[1]]]]]]]]"],
    ["[[[[[[[[True]]]]]]]]"],
]


# A row meets all rows so near, in all their spellings, and one in so many of the others.
NEAR, FAR = 12, 7


def test_the_table_is_sound() -> None:
    spellings = [text for row in TABLE for text in row]
    assert len(spellings) == len(set(spellings))
    assert len(TABLE) > 100


def run(folder: Path, problems: list[dict[str, object]], answers: list[dict[str, object]]) -> list[dict[str, object]]:
    files = []
    for name, rows in (("problems", problems), ("answers", answers)):
        files.append(folder / f"{name}.jsonl")
        files[-1].write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    command = [sys.executable, "-m", "app.cli", "verify", *map(str, files), "--processes", "1"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def problem(name: str, value: str) -> dict[str, object]:
    program = "def f(x):\n    return x"
    return {"id": name, "environment": "deduction", "program": program, "inputs": [f"({value}),"], "outputs": [value]}


def test_pairs_of_the_table_are_judged_as_the_table_says(tmp_path: Path) -> None:
    problems = [problem(str(number), row[0]) for number, row in enumerate(TABLE)]
    pairs = [
        (gold, text, gold == number)
        for gold in range(len(TABLE))
        for number, row in enumerate(TABLE)
        for text in (row if abs(gold - number) <= NEAR else row[:1])
        if abs(gold - number) <= NEAR or number % FAR == gold % FAR
    ]
    assert len(pairs) > 4_000
    graded = run(tmp_path, problems, [{"id": str(gold), "answer": text} for gold, text, _ in pairs])
    found = [(row["id"], row["verdict"]) for row in graded]
    expected = [(str(gold), "passed" if same else "failed") for gold, _, same in pairs]
    wrong = [(TABLE[gold][0], text, row) for (gold, text, _), row, want in zip(pairs, graded, expected, strict=True)
             if (row["id"], row["verdict"]) != want]  # fmt: skip
    assert found == expected, wrong[:10]
    assert {row["reason"] for row in graded if row["verdict"] == "failed"} == {"wrong_value"}


def test_what_a_program_returns_is_judged_as_the_table_says(tmp_path: Path) -> None:
    """The same through the sandbox: one function gives, for each row, the value that Python makes of a spelling."""
    pairs = [(gold, (gold + step) % len(TABLE)) for gold in range(len(TABLE)) for step in (0, 1, -1)]
    problems: list[dict[str, object]] = []
    answers: list[dict[str, object]] = []
    expected: list[tuple[str, str]] = []
    for gold, row in enumerate(TABLE):
        problems.append({"id": str(gold), "environment": "induction", "program": source(row[0]), "inputs": ["0"],
                         "outputs": [row[0]], "message": "as told"})  # fmt: skip
    for gold, number in pairs:
        for text in TABLE[number]:
            answers.append({"id": str(gold), "answer": source(text)})
            expected.append((str(gold), "passed" if gold == number else "failed"))
    graded = run(tmp_path, problems, answers)
    assert [(row["id"], row["verdict"]) for row in graded] == expected


def source(text: str) -> str:
    """What Python itself reads: its literals know no bare nan and inf."""
    return f"nan, inf = float('nan'), float('inf')\ndef f(x):\n    return {text}"
