"""Reading the inputs and the message out of a teacher's blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.domain.problem import InvalidProposal
from app.domain.values import Arguments, LiteralError, dumps, parse_arguments
from app.environments._common.blocks import Block


def read_inputs(found: Sequence[Block]) -> tuple[Arguments, ...]:
    """The arguments in every input block, in order. Raises InvalidProposal."""
    texts = [block.text for block in found if block.language == "input"]
    if not texts:
        raise InvalidProposal("missing_block", "There is no ```input block.")
    inputs: list[Arguments] = []
    for number, text in enumerate(texts, 1):
        try:
            inputs.append(parse_arguments(text))
        except LiteralError as error:
            raise InvalidProposal("bad_input", f"Input {number}: {error}.") from error
    return tuple(inputs)


def read_message(found: Sequence[Block]) -> str:
    """The text of the last message block. Raises InvalidProposal."""
    texts = [block.text for block in found if block.language == "message" and block.text.strip()]
    if not texts:
        raise InvalidProposal("missing_block", "There is no ```message block.")
    return texts[-1].strip()


def distinct(inputs: Iterable[Arguments], least: int) -> tuple[Arguments, ...]:
    """The inputs without repetitions. Raises InvalidProposal where fewer than `least` remain."""
    unique = {dumps(arguments): arguments for arguments in inputs}
    if len(unique) < least:
        raise InvalidProposal(
            "wrong_input_count", f"The reply has {len(unique)} different input block(s); it needs {least}."
        )
    return tuple(unique.values())
