"""Replies as language models really write them."""

from __future__ import annotations

import time

import pytest

from app.environments._common.blocks import Block, blocks, last, without_reasoning

CODE = "def f(x):\n    return x"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(f"```python\n{CODE}\n```", id="plain"),
        pytest.param(f"Sure!\n\n```Python\n{CODE}\n```\n\nThat is all.", id="capitals and text around"),
        pytest.param(f"```py\n{CODE}\n```", id="short name"),
        pytest.param(f'```python title="a.py" {{.numberLines}}\n{CODE}\n```', id="attributes"),
        pytest.param(f"```{{.python}}\n{CODE}\n```", id="pandoc"),
        pytest.param(f"``` python\n{CODE}\n```", id="space before the language"),
        pytest.param(f"~~~python\n{CODE}\n~~~", id="tildes"),
        pytest.param(f"`````python\n{CODE}\n`````", id="longer fence"),
        pytest.param(f"```python\n{CODE}", id="not closed"),
        pytest.param("1. Code:\n   ```python\n   def f(x):\n       return x\n   ```", id="indented in a list"),
        pytest.param("```python\n  def f(x):\n      return x\n```", id="only the code is indented"),
        pytest.param(f"```python\r\n{CODE}\r\n```\r\n".replace("\n    ", "\r\n    "), id="CRLF"),
        pytest.param(f"```python\n\n\n{CODE}\n\n```", id="blank lines"),
        pytest.param(f"<think>\n```python\nwrong\n```\n</think>\n```python\n{CODE}\n```", id="reasoning"),
        pytest.param(
            f"so ```python\nwrong\n```\n</think>\n\n```python\n{CODE}\n```", id="reasoning opened by the prompt"
        ),
        pytest.param(f"thoughts<|channel|>final<|message|>```python\n{CODE}\n```", id="channels"),
        pytest.param(f"````markdown\n```python\n{CODE}\n```\n````", id="wrapped"),
        pytest.param(f"```markdown\n```python\n{CODE}\n```\n```", id="wrapped in a fence of the same length"),
    ],
)
def test_a_python_block_is_found(reply: str) -> None:
    assert [block for block in blocks(reply) if block.text] == [Block("python", CODE)]


@pytest.mark.parametrize("before", ["", "<think>so `</think>` ends it</think>\n", "so it ends\n</think>\n", "Well:\n"])
def test_code_may_speak_of_the_end_of_reasoning(before: str) -> None:
    code = "def f(x):\n    return x.replace('</think>', '')"
    if "ends it" in before:  # the first one counts, as it does for the servers that split reasoning off
        assert without_reasoning(f"{before}{code}") == f"` ends it</think>\n{code}"
    assert last(f"{before}```python\n{code}\n```", "python") == code


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("```output" + " " * 400_000, id="spaces behind a language"),
        pytest.param("```" + " " * 400_000 + "`", id="spaces before a backtick"),
        pytest.param("```\n" + "x</think>" * 50_000, id="ends of reasoning in an open block"),
        pytest.param("\n".join(f'{"`" * n}\n"""\n{"`" * n}' for n in range(400, 3, -1)) + "\nx" * 100_000, id="fences"),
        pytest.param("```\n" * 200_000, id="nothing but fences"),
    ],
)
def test_no_reply_takes_long(reply: str) -> None:
    """Of each, time would grow with the square of its length at least, to minutes."""
    began = time.process_time()
    blocks(reply)
    assert time.process_time() - began < 10


def test_blocks_keep_their_order_and_language() -> None:
    reply = "```python\na\n```\ntext\n```input\n1, 2\n```\n~~~message\nhello\n~~~\n```json\n{}\n```\n```\nbare\n```"
    assert blocks(reply) == [
        Block("python", "a"),
        Block("input", "1, 2"),
        Block("message", "hello"),
        Block("json", "{}"),
        Block("", "bare"),
    ]


def test_a_fence_in_a_docstring_does_not_end_the_code() -> None:
    code = 'def f(x):\n    """Example:\n\n    ```python\n    f(1)\n    ```\n    """\n    return x'
    assert blocks(f"```python\n{code}\n```\n```input\n1\n```") == [Block("python", code), Block("input", "1")]


def test_a_string_that_never_ends_does_not_swallow_the_reply() -> None:
    assert blocks('```python\nx = """\n```\n```input\n1\n```') == [Block("python", 'x = """'), Block("input", "1")]


def test_a_forgotten_closing_fence_is_supplied() -> None:
    assert blocks("```python\na\n```input\n1\n```") == [Block("python", "a"), Block("input", "1")]


def test_a_shorter_fence_inside_is_content() -> None:
    assert blocks("````python\na\n```input\n1\n```\n````") == [Block("python", "a\n```input\n1\n```")]


def test_one_line_blocks_are_read() -> None:
    assert blocks("```output [1, 2]```\n```input 3 ```") == [Block("output", "[1, 2]"), Block("input", "3")]


def test_an_answer_is_the_last_block_of_its_language() -> None:
    assert last("```output\n1\n```\n```output\n2\n```\n```\n3\n```", "output") == "2"


def test_a_block_without_language_is_taken_where_no_other_is() -> None:
    assert last("The answer:\n```\n3\n```", "output") == "3"


@pytest.mark.parametrize("reply", ["", "42", "```python\nf\n```", "```output\n```", "<think>```output\n1\n```"])
def test_no_answer(reply: str) -> None:
    assert last(reply, "output") is None


@pytest.mark.parametrize("line", ['x = """', "```", "```python", "```markdown", "~~~~", "<think>", "```python x"])
def test_a_hostile_reply_is_read_to_its_end(line: str) -> None:
    reply = f"```python\n'''\n{(line + chr(10)) * 20_000}\n```output\n7\n```"
    assert last(reply, "output") == "7"
