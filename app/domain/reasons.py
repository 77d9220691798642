"""What each machine name of a failure means: a sentence for people, a remedy for the teacher.

Validity codes say why a proposal is no problem; attempt codes say why an answer failed. An environment adds its own to
these (see `Environment.reasons`), so that screens, prompts and counts read one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Reason:
    """`sentence` is shown to people; `remedy` tells the teacher what to do about it."""

    sentence: str
    remedy: str = ""


VALIDITY: Mapping[str, Reason] = MappingProxyType(
    {
        "missing_block": Reason(
            "The reply lacks a required fenced block.",
            "Write every required part in a fenced block of its own, opened by three backticks and its name.",
        ),
        "reply_cut": Reason("The reply was cut at its length limit.", "Think and write less."),
        "too_long": Reason("The program or the message is too long.", "Write a shorter one."),
        "syntax_error": Reason("The code does not parse.", "Write complete, valid Python."),
        "missing_name": Reason(
            "A required function is not defined.", "Define every required function by its exact name at the top level."
        ),
        "load_error": Reason(
            "The program fails while it is loaded.",
            "Keep code outside functions to imports and constants that work on their own; "
            "import from the standard library only.",
        ),
        "runtime_error": Reason(
            "The program raises on one of the inputs.",
            "Check every input by hand against the code, or make the function handle it.",
        ),
        "timeout": Reason("The program takes too long.", "Use smaller inputs or a faster method; make every loop end."),
        "memory": Reason("The program needs too much memory.", "Use smaller inputs or smaller intermediate values."),
        "output_limit": Reason("An output is too large.", "Return something shorter: a few values, or a summary."),
        "unsupported_output": Reason(
            "An output is no plain value.",
            "Return None, bool, int, float, complex, str, bytes, or lists, tuples, dicts and sets of those; "
            "not generators, functions or objects of classes.",
        ),
        "crashed": Reason(
            "The program ended its process.", "Do not exit, kill or exhaust the interpreter; return a value."
        ),
        "nondeterministic": Reason(
            "The program does not always give the same outputs.",
            "Use no clock, randomness, network, files, ids or memory of earlier calls; "
            "sort sets before their order can show.",
        ),
        "bad_input": Reason(
            "An input cannot be read as arguments of the function.",
            "Write literal values separated by commas, one input block per call, as many values as f has parameters; "
            "no names, calls or keywords.",
        ),
        "wrong_input_count": Reason(
            "The number of different inputs is wrong.", "Give as many different inputs as asked, one block each."
        ),
        "constant_output": Reason(
            "All inputs give the same output.",
            "Choose inputs whose outputs differ, or a function that tells them apart.",
        ),
        "leaks_code": Reason(
            "The message gives the code away.",
            "Describe in words what the function is to achieve; quote none of its statements.",
        ),
        "leaks_answer": Reason(
            "A comment or docstring gives the answer away.", "Leave the expected answer out of comments and docstrings."
        ),
        "refers_to_earlier": Reason(
            "The text refers to an earlier problem.",
            "Let the problem stand on its own: no mention of another problem, of versions, or of how it was made.",
        ),
        "duplicate": Reason(
            "The same program is already in this chain.",
            "Change what the program computes, not only its names, layout or inputs.",
        ),
        "contaminated": Reason(
            "The problem overlaps with a benchmark.", "Move away from well-known exercises; stay close to the seed."
        ),
    }
)

ATTEMPT: Mapping[str, Reason] = MappingProxyType(
    {
        "no_answer": Reason("The reply holds no answer block."),
        "bad_literal": Reason("The answer cannot be read as a literal value."),
        "wrong_value": Reason("The value differs from the gold output."),
        "too_long": Reason("The answer is too long."),
        "missing_name": Reason("The program does not define the function asked for."),
        "syntax_error": Reason("The program does not parse."),
        "load_error": Reason("The program fails while it is loaded."),
        "runtime_error": Reason("The program raises."),
        "timeout": Reason("The program takes too long."),
        "memory": Reason("The program needs too much memory."),
        "output_limit": Reason("The output is too large."),
        "unsupported_output": Reason("The output is no plain value."),
        "crashed": Reason("The program ended its process."),
        "sandbox_unavailable": Reason("The sandbox failed; this is no verdict on the answer."),
        "engine_unavailable": Reason("The model server failed; this is no verdict on the student."),
    }
)


def meaning(code: str, table: Mapping[str, Reason]) -> Reason:
    """The entry of `code`; a code that a plug-in of another version left in the data is spelled out."""
    return table.get(code) or Reason(f"{code.replace('_', ' ').capitalize()}.")
