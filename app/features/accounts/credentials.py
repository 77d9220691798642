"""Secrets that are shown once: how they are made, and the hash that is kept in their place."""

from __future__ import annotations

import hashlib
import secrets
import zlib

API_PREFIX = "cairn_"
_CHECK_DIGITS = 8


def new_secret() -> str:
    """256 random bits in 43 characters that may stand in an address."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """SHA-256. A secret of full entropy needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def new_api_token() -> str:
    """Prefix, 256 random bits, checksum: scanners recognise a leaked one, and a torn one is refused unasked."""
    body = secrets.token_hex(32)
    return f"{API_PREFIX}{body}{_checksum(body)}"


def is_api_token(token: str) -> bool:
    """Whether `token` can be one, by its prefix and checksum."""
    body = token.removeprefix(API_PREFIX)
    return token.startswith(API_PREFIX) and token[-_CHECK_DIGITS:] == _checksum(body[:-_CHECK_DIGITS])


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode('utf-8', 'replace')):08x}"
