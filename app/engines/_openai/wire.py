"""What comes back over the wire, with every way in which servers differ or fail."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from app.domain.problem import Reply
from app.domain.text import storable
from app.engines._openai.refusals import excerpt, refusal
from app.errors import EngineError

# Models that think aloud put it before the answer; a reply that was cut may never close the tag.
_THOUGHT = re.compile(r"\A\s*<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)
# Some chat templates open the tag in the prompt, so that only its end comes back.
_THOUGHT_OPENED_BEFORE = re.compile(r"\A(.*?)</think>\s*", re.DOTALL)
# How servers end a choice that is an answer, whole or cut. Another word ends one as well, if there is text before it.
_ENDS = frozenset(
    {
        *("stop", "eos", "eos_token", "eos_found", "stop_sequence", "stop_string", "stop_str", "end_turn", "complete"),
        *("length", "max_tokens", "max_length", "model_length", "repetition"),
        *("content_filter", "refusal", "safety", "recitation", "blocklist", "tool_calls", "tool_use", "function_call"),
    }
)
# What is in the words with which they give one up ("abort", "insufficient_system_resource"): no answer of the model.
_GIVEN_UP = re.compile("abort|error|fail|cancel|interrupt|resource|timeout|overload|unavailable")
# More than any context holds, for all samples of a request together: no count of tokens.
_MOST_TOKENS = 2**24
# What a body of another shape makes its reader raise.
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def replies(body: bytes, model: str, secret: str = "") -> list[Reply]:
    """The samples of one response, in their order. Raises EngineError where it is no answer of `model`."""
    try:
        data = json.loads(body)
        if failure := data.get("error"):
            raise _reported(failure, body, secret)
        choices = sorted(data["choices"], key=lambda choice: choice.get("index") or 0)
        if failure := next((failed for choice in choices if (failed := choice.get("error"))), None):
            raise _reported(failure, json.dumps(failure).encode(), secret)
        answered_by = data["model"]
        if not choices or not isinstance(answered_by, str):
            raise TypeError("choices and model")
        counts = _spread(data.get("usage"), len(choices))
        found = [_reply(choice, answered_by, *count) for choice, count in zip(choices, counts, strict=True)]
    except _MALFORMED as error:
        raise _nonsense(excerpt(body, secret)) from error
    _check_model(answered_by, model)
    for reply in found:
        if _given_up(reply):
            raise EngineError(
                "server_error",
                f"The server gave the request up midway: it ended a reply with {reply.finish_reason!r}.",
                retryable=True,
                remedy="See the server's log; resume when it answers again.",
            )
    return found


def _given_up(reply: Reply) -> bool:
    reason = reply.finish_reason.lower()
    return bool(_GIVEN_UP.search(reason)) or (reason not in _ENDS and not (reply.text or reply.reasoning))


def vectors(body: bytes, count: int, model: str, secret: str = "") -> list[list[float]]:
    """The `count` embeddings of one response, in the order of their texts. Raises EngineError as `replies` does."""
    try:
        data = json.loads(body)
        if failure := data.get("error"):
            raise _reported(failure, body, secret)
        items = sorted(data["data"], key=lambda item: item["index"])
        answered_by = data["model"]
        if not isinstance(answered_by, str):
            raise TypeError("model")
        if [item["index"] for item in items] != list(range(count)):
            raise ValueError("index")
        found = [_vector(item["embedding"]) for item in items]
        if len({len(vector) for vector in found}) != 1:
            raise ValueError("lengths")
    except _MALFORMED as error:
        told = f"{count} vectors of one length, of finite numbers that are not all 0, were expected"
        raise _nonsense(f"{told}: {excerpt(body, secret)}") from error
    _check_model(answered_by, model)
    return found


def _vector(numbers: list[float]) -> list[float]:
    if not all(type(number) in (float, int) for number in numbers):
        raise TypeError("embedding")
    if not 0 < math.hypot(*numbers) < math.inf:  # false for NaN as well
        raise ValueError("embedding")
    return numbers


def _nonsense(told: str) -> EngineError:
    return EngineError(
        "nonsense",
        f"The server's reply is not what the OpenAI API promises: {told}",
        retryable=True,
        remedy="Check that base_url ends with the server's /v1, and what answers there.",
    )


def _check_model(answered_by: str, model: str) -> None:
    if answered_by != model:
        raise EngineError(
            "wrong_model",
            f"The server answered as {answered_by[:300]!r} when {model!r} was asked.",
            retryable=False,
            remedy="Serve the model under that name and resume; or start anew with the right `model`, "
            "or with `answers_as` where both names mean the same model.",
        )


def _reported(failure: object, body: bytes, secret: str) -> EngineError:
    """Routers pass the error of the server behind them on in a response that looks fine."""
    code = failure.get("code") if isinstance(failure, dict) else None
    return refusal(code if isinstance(code, int) and 400 <= code < 600 else 500, body, secret=secret)


def _reply(choice: dict[str, Any], model: str, prompt_tokens: int, completion_tokens: int) -> Reply:
    message = choice.get("message")
    if isinstance(message, dict):
        text = message.get("content") or ""
        # vLLM says `reasoning`, others `reasoning_content`.
        reasoning = message.get("reasoning") or message.get("reasoning_content") or ""
    else:
        text, reasoning = choice["text"], ""
    if not isinstance(text, str) or not isinstance(reasoning, str):
        raise TypeError("content")
    if not reasoning and ("<think>" in text or "</think>" in text):
        thought = _THOUGHT.match(text) or (_THOUGHT_OPENED_BEFORE.match(text) if message else None)
        if thought:
            reasoning, text = thought[1].strip(), text[thought.end() :]
    reason = choice.get("finish_reason")
    if isinstance(reason, dict):  # as SGLang writes it
        reason = reason.get("type") or "unknown"
    return Reply(
        storable(text),  # here, so that what is judged is what is stored
        storable(reasoning),
        str(reason or "stop")[:40],
        prompt_tokens,
        completion_tokens,
        model=model,
    )


def _spread(usage: object, number: int) -> list[tuple[int, int]]:
    """The token counts of each reply, so that sums over replies are the server's: the first has the prompt."""
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = (_count(counts.get(f"{kind}_tokens")) for kind in ("prompt", "completion"))
    share, rest = divmod(completion, number)
    return [(0 if i else prompt, share + (i < rest)) for i in range(number)]


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else 0
