"""Servers of the user's own: one look at each before anything is built on it."""

from __future__ import annotations

import psycopg
import redis
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.errors import Unavailable

_PATIENCE_S = 5
_OLDEST_POSTGRES = 150_000  # libpq's number for 15.0


def check_postgres(url: str) -> None:
    """Raises Unavailable, naming DATABASE_URL, where no usable server answers."""
    try:
        target = make_url(url).set(drivername="postgresql+psycopg")
        _, address = target.get_dialect()().create_connect_args(target)
        with psycopg.connect(**address, connect_timeout=_PATIENCE_S) as connection:
            version = connection.info.server_version
    except (ArgumentError, psycopg.Error) as error:
        raise _unreachable("DATABASE_URL", "PostgreSQL", error) from error
    if version < _OLDEST_POSTGRES:
        raise Unavailable(
            f"DATABASE_URL: that is PostgreSQL {version // 10_000}.",
            remedy="Cairn needs 15 or newer, or none: its own.",
        )


def check_redis(url: str) -> None:
    """Raises Unavailable, naming REDIS_URL, where no server answers."""
    try:
        address = url.replace("redis+socket://", "unix://", 1)
        with redis.Redis.from_url(
            address, socket_connect_timeout=_PATIENCE_S, socket_timeout=_PATIENCE_S
        ) as connection:
            connection.ping()
    except (ValueError, redis.RedisError) as error:
        raise _unreachable("REDIS_URL", "Redis or Valkey", error) from error


def _unreachable(setting: str, server: str, error: Exception) -> Unavailable:
    reason = str(error).splitlines()[0]
    return Unavailable(
        f"{setting}: no {server} answers there ({reason}).",
        remedy="Correct the address or start that server; without the setting Cairn starts its own.",
    )
