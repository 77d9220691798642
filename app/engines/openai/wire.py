"""What goes over the wire and what comes back, with every way in which servers differ or fail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from app.domain.problem import Reply
from app.errors import EngineError

# Models that think aloud put it before the answer; a reply that was cut may never close the tag.
_THOUGHT = re.compile(r"\A\s*<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)
_OVERFLOW = re.compile(r"context.{0,20}(length|window)|maximum.{0,20}tokens|too (long|many tokens)|input_tokens", re.I)
_EXCERPT = 300


def replies(body: bytes, model: str) -> list[Reply]:
    """The samples of one response. Raises EngineError where it is no answer of `model`."""
    try:
        data = json.loads(body)
        choices = data["choices"]
        answered_by = data["model"]
        if not isinstance(choices, list) or not choices or not isinstance(answered_by, str):
            raise TypeError("choices and model")
        found = [_reply(choice, answered_by) for choice in choices]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EngineError(
            "nonsense",
            f"The server's reply is not what the OpenAI API promises: {_excerpt(body)}",
            retryable=True,
            remedy="Check that base_url ends with the server's /v1.",
        ) from error
    if answered_by != model:
        raise EngineError(
            "wrong_model",
            f"The server answered as {answered_by!r} when {model!r} was asked.",
            retryable=False,
            remedy="Correct `model`, or serve the model under that name.",
        )
    return _with_usage(found, data.get("usage"))


def _reply(choice: Mapping[str, object], model: str) -> Reply:
    message = choice.get("message")
    if isinstance(message, dict):
        text = message.get("content") or ""
        # vLLM says `reasoning`, others `reasoning_content`.
        reasoning = message.get("reasoning") or message.get("reasoning_content") or ""
    else:
        text, reasoning = choice["text"], ""
    if not isinstance(text, str) or not isinstance(reasoning, str):
        raise TypeError("content")
    if not reasoning and (thought := _THOUGHT.match(text)):
        reasoning, text = thought.group(1).strip(), text[thought.end() :]
    return Reply(text, reasoning, str(choice.get("finish_reason") or "stop"), model=model)


def _with_usage(found: list[Reply], usage: object) -> list[Reply]:
    """Spreads the response's token counts, so that sums over replies are the server's: the first has the prompt."""
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = (_count(counts.get(f"{kind}_tokens")) for kind in ("prompt", "completion"))
    share, rest = divmod(completion, len(found))
    return [
        Reply(
            reply.text,
            reply.reasoning,
            reply.finish_reason,
            prompt_tokens=prompt if i == 0 else 0,
            completion_tokens=share + (i < rest),
            model=reply.model,
        )
        for i, reply in enumerate(found)
    ]


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def refusal(status: int, body: bytes) -> EngineError:
    """What an HTTP error of the server means for us."""
    text = _excerpt(body)
    if status in (400, 413, 422) and _OVERFLOW.search(text):
        return EngineError("context_overflow", f"The prompt is too long for the model: {text}", retryable=False)
    if status in (401, 403):
        return EngineError(
            "unauthorised",
            f"The server refused the key ({status}).",
            retryable=False,
            remedy="Set the variable named by api_key_variable where the worker starts.",
        )
    if status == 404:
        return EngineError(
            "not_found",
            f"The server knows no such model or address (404): {text}",
            retryable=False,
            remedy="Check base_url and model.",
        )
    if status in (408, 409, 425, 429) or status >= 500:
        kind = "overloaded" if status in (429, 503) else "server_error"
        return EngineError(kind, f"The server answered {status}: {text}", retryable=True)
    return EngineError(
        "refused", f"The server refused the request ({status}): {text}", retryable=False, remedy="Check the options."
    )


def _excerpt(body: bytes) -> str:
    text = body[: 4 * _EXCERPT].decode("utf-8", "replace").strip()
    return (text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…") or "nothing"
