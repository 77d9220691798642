"""What it means when a server says no: whether asking again can help, and what a person can do about it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from app.errors import EngineError

# How servers say that a prompt, or prompt and reply together, do not fit. Limits on the reply alone are no overflow.
_OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)"  # vLLM, SGLang, OpenAI, llama.cpp
    r"|(input|prompt).{0,40}(too long|longer than|exceeds)"  # Anthropic, SGLang
    r"|input_tokens|inputs. (tokens|must have less)",  # vLLM's `param`; TGI, TEI
    re.IGNORECASE,
)
_LONGEST_EXCERPT = 300
_LONGEST_WAIT_S = 120.0

_WAIT = "See the server's log; resume when it answers again."
_MEND = "Mend that and resume; or start anew where the settings are wrong."


def refusal(
    status: int, body: bytes, *, key_variable: str = "the key's variable", secret: str = "", retry_after: str = ""
) -> EngineError:
    """The error for an HTTP status other than 200. `secret` is the key that was sent; it is never repeated."""
    text = excerpt(body, secret)
    if status == 401:
        # Some servers quote a part of the key that they refuse: their text is not shown.
        return EngineError(
            "unauthorised",
            "The server refused the key (401)." if secret else "The server asks for a key (401).",
            retryable=False,
            remedy=f"Set {key_variable} in the worker's environment, restart the worker, and resume.",
        )
    if status == 403:
        return EngineError(
            "unauthorised",
            f"The server denied access (403): {text}",
            retryable=False,
            remedy=f"Check what the key in {key_variable} may do, and resume.",
        )
    if status == 404:
        return EngineError(
            "not_found",
            f"The server knows no such model or address (404): {text}",
            retryable=False,
            remedy=f"Check base_url and model. {_MEND}",
        )
    if 300 <= status < 400:
        return EngineError(
            "redirected",
            f"The server redirects to another address ({status}).",
            retryable=False,
            remedy="Start anew with that address as base_url: a key goes only where the settings say.",
        )
    if status in (429, 503):
        wait_s = _seconds(retry_after)
        told = f"The server answered {status}: {text}"
        return EngineError("overloaded", told, retryable=True, remedy=_WAIT, wait_s=wait_s)
    if status in (408, 409, 425) or status >= 500:
        return EngineError("server_error", f"The server answered {status}: {text}", retryable=True, remedy=_WAIT)
    if status in (400, 413, 422) and _OVERFLOW.search(text):
        return EngineError(
            "context_overflow",
            f"The prompt does not fit into the model's context ({status}): {text}",
            retryable=False,
            remedy="Serve the model with a longer context, or lower max_tokens.",
        )
    return EngineError("refused", f"The server refused the request ({status}): {text}", retryable=False, remedy=_MEND)


def _seconds(retry_after: str) -> float:
    """What a Retry-After header asks for, within reason: as seconds, or as a date."""
    try:
        return min(max(float(retry_after), 0.0), _LONGEST_WAIT_S) if retry_after else 0.0
    except ValueError:
        pass
    try:
        left = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return min(max(left, 0.0), _LONGEST_WAIT_S)


def excerpt(body: bytes, secret: str) -> str:
    """The beginning of what a server said, for people; without the key, should it repeat it."""
    text = body[: 4 * _LONGEST_EXCERPT].decode("utf-8", "replace").strip()
    if secret:
        text = text.replace(secret, "[key]")
    return (text if len(text) <= _LONGEST_EXCERPT else f"{text[:_LONGEST_EXCERPT]}…") or "nothing"
