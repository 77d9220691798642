"""How figures and times read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.web import filters

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def plain(text: object) -> str:
    return str(text).replace(filters.THIN, " ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (filters.number(1234567), "1 234 567"),
        (filters.number(0.5, 2), "0.50"),
        (filters.rate(14 / 32), "0.44"),
        (filters.rate(0.9999), "0.99"),
        (filters.rate(0.0001), "0.01"),
        (filters.rate(1.0), "1.00"),
        (filters.percent(0.1234, 1), "12.3%"),
        (filters.short(3_100_000), "3.1 M"),
        (filters.short(999), "999"),
        (filters.short(0.25), "0.25"),
        (filters.duration(0.25), "0.2 s"),
        (filters.duration(41.2), "41 s"),
        (filters.duration(90), "1 min 30 s"),
        (filters.duration(7512), "2 h 5 min"),
        (filters.duration(3601), "1 h"),
        (filters.duration(90_000), "1 d 1 h"),
        (filters.filesize(2480), "2.48 kB"),
        (filters.filesize(12), "12 B"),
        (filters.short_hash("sha256:9f2c41ab77d0e5f1"), "9f2c41ab77"),
        (filters.plural(1, "chain"), "1 chain"),
        (filters.plural(2, "entry", "entries"), "2 entries"),
    ],
)
def test_figures(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize("write", [filters.number, filters.rate, filters.percent, filters.short, filters.duration])
def test_what_is_not_known_is_a_dash(write: object) -> None:
    assert callable(write)
    assert write(None) == filters.MISSING


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(seconds=4), "just now"),
        (timedelta(minutes=7, seconds=50), "7 min ago"),
        (timedelta(days=3), "3 d ago"),
        (timedelta(hours=-2), "in 2 h"),
        (timedelta(days=90), "1 Dec 2025"),
    ],
)
def test_moments(ago: timedelta, expected: str) -> None:
    assert f">{expected}<" in plain(filters.when(NOW - ago, NOW))


def test_a_moment_carries_the_exact_time() -> None:
    assert 'title="2026-03-01 12:00:00 UTC"' in filters.when(NOW.replace(tzinfo=None), NOW)
