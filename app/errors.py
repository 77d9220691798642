"""The tree of errors: one class per boundary crossed.

`status` is the HTTP status that the web gives it, `field` the input that it speaks of, `remedy` what to do.
"""

from __future__ import annotations


class AppError(Exception):
    """An error that a person or a program outside can act on."""

    status = 500
    retryable = False

    def __init__(self, message: str, *, field: str | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.message}" + (f" {self.remedy}" if self.remedy else "")


class InvalidInput(AppError):
    """What came in breaks a rule; names the field and the remedy."""

    status = 422


class InvalidForm(InvalidInput):
    """Several fields at once: `errors` maps each field's dotted path to its message."""

    def __init__(self, errors: dict[str, str]) -> None:
        field, message = next(iter(errors.items()))
        super().__init__(message, field=field)
        self.errors = errors


class TooLarge(AppError):
    status = 413


class NotFound(AppError):
    status = 404


class Forbidden(AppError):
    status = 403


class Unauthenticated(AppError):
    status = 401


class Conflict(AppError):
    """Someone else was faster, or the thing is no longer in the state that was shown."""

    status = 409


class TooManyRequests(AppError):
    """Asked too often; the remedy says when to come back."""

    status = 429
    retryable = True


class Unavailable(AppError):
    """A part of ours that can come back: the database, the broker, the disk."""

    status = 503
    retryable = True


class LeaseLost(AppError):
    """Another lane owns the chain now: whatever was computed for it is dropped."""

    status = 409


class SandboxUnavailable(AppError):
    """The isolation itself failed. Never a verdict on the program."""

    status = 503
    retryable = True


class IsolationTooWeak(AppError):
    """This machine cannot give the isolation that the settings demand."""

    status = 503


class LibraryMissing(AppError):
    """A library that the settings let programs use can't be used on this machine."""

    status = 503


class EngineError(AppError):
    """A model server that failed, answered nonsense or was refused. `kind` groups such errors on screen.

    `wait_s` is how long the server asked to be left alone.
    """

    status = 502

    def __init__(self, kind: str, message: str, *, retryable: bool, remedy: str = "", wait_s: float = 0.0) -> None:
        super().__init__(message, remedy=remedy)
        self.kind = kind
        self.retryable = retryable
        self.wait_s = wait_s


class StorageFull(AppError):
    """No room left: nothing was written by halves."""

    status = 507


class HashMismatch(AppError):
    """What is stored no longer is what its hash says. Loud, and never served."""
