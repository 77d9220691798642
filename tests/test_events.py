"""What a lane tells live pages of: a few nudges, whatever happens."""

from __future__ import annotations

import asyncio

import pytest

from app import events
from app.config import settings
from app.events import Nudger


@pytest.fixture
def listening(broker: str) -> object:
    listener = events.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(events.channel(7))
    listener.get_message(timeout=10)
    yield listener
    listener.close()


def heard(listener) -> list[bytes]:  # type: ignore[no-untyped-def]
    found = []
    while message := listener.get_message(timeout=0.2):
        found.append(message["data"])
    return found


async def test_all_that_happens_in_a_moment_is_one_nudge_of_each_kind(listening: object) -> None:
    nudger = Nudger(7)
    for kind in ["variant"] * 50 + ["chain"]:
        nudger.add(kind)
    await nudger.close()
    assert heard(listening) == [b"chain", b"variant"]
    nudger.add("variant")
    await nudger.close()
    assert heard(listening) == [b"variant"]


async def test_the_first_is_told_at_once_and_what_follows_later_as_one(
    listening: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_REST_S", 3600.0)
    nudger = Nudger(7)
    nudger.add("variant")
    assert await asyncio.to_thread(listening.get_message, timeout=10)  # type: ignore[attr-defined]
    for _ in range(50):
        nudger.add("variant")
        await asyncio.sleep(0)
    assert heard(listening) == []
    await nudger.close()
    assert heard(listening) == [b"variant"]


async def test_closing_that_is_cancelled_loses_nothing(listening: object) -> None:
    nudger = Nudger(7)
    nudger.add("variant")
    assert await asyncio.to_thread(listening.get_message, timeout=10)  # type: ignore[attr-defined]
    nudger.add("chain")
    closing = asyncio.create_task(nudger.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    await nudger.close()
    assert heard(listening) == [b"chain"]


async def test_a_broker_that_is_away_is_no_trouble_of_a_run(
    broker: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    events.client.cache_clear()
    monkeypatch.setattr(settings(), "redis_url", "redis://127.0.0.1:1/0")
    try:
        nudger = Nudger(7)
        nudger.add("variant")
        await nudger.close()
    finally:
        events.client.cache_clear()
    assert "run 7: a nudge failed" in caplog.text
