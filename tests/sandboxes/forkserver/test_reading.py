"""The driver reads any bytes as outcomes, and takes for a full set of values only what is one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ports import Status
from app.domain.values import dumps, loads
from app.sandboxes.forkserver import protocol, reading
from app.sandboxes.forkserver.process import Response
from tests.domain.values.strategies import values

EXITED, KILLED = (lambda code: code << 8), (lambda signal: signal)


def frame(kind: int, text: str) -> bytes:
    return protocol.FRAME.pack(kind, len(text)) + text.encode()


def response(frames: bytes, status: int = 0, end: int = protocol.ENDED) -> Response:
    return Response(end, 1, 1, 1, status, frames)


LOADED = frame(protocol.LOADED, "")
texts = st.one_of(st.text(), values.map(dumps), st.lists(st.text(), max_size=3).map(json.dumps), st.just('["E", "m"]'))
frames = st.lists(st.builds(frame, st.integers(0, 8), texts), max_size=6).map(b"".join)
hostile = st.one_of(st.binary(max_size=200), frames, st.builds(bytes.__add__, st.just(LOADED), frames))
hostile = st.one_of(hostile, st.builds(lambda data, cut: data[: max(0, len(data) - cut)], hostile, st.integers(0, 6)))
statuses = st.one_of(st.just(0), st.integers(0, 255).map(EXITED), st.sampled_from([1, 6, 11, 15, 27, 31]).map(KILLED))


@given(data=hostile, calls=st.integers(0, 4), status=statuses, end=st.sampled_from([0, 1]))
def test_any_bytes_give_one_outcome_per_call(data: bytes, calls: int, status: int, end: int) -> None:
    outcomes = reading.read(response(data, status, end), calls).outcomes
    assert len(outcomes) == calls
    if calls and all(outcome.status is Status.VALUE for outcome in outcomes):
        assert (status, end) == (0, protocol.ENDED)
        assert data == LOADED + data[len(LOADED) :]
        kinds = [kind for kind, _ in reading._frames(data)]
        assert kinds == [protocol.LOADED] + [protocol.VALUE] * calls


@given(st.lists(values, max_size=4))
def test_honest_frames_are_read(given_values: list[object]) -> None:
    data = LOADED + b"".join(frame(protocol.VALUE, dumps(value)) for value in given_values)
    outcomes = reading.read(response(data), len(given_values)).outcomes
    assert [dumps(outcome.value) for outcome in outcomes] == list(map(dumps, given_values))


@pytest.mark.parametrize(
    ("status", "end", "expected"),
    [
        (EXITED(0), protocol.ENDED, Status.CRASHED),
        (EXITED(1), protocol.ENDED, Status.CRASHED),
        (EXITED(protocol.NO_MEMORY), protocol.ENDED, Status.MEMORY),
        (EXITED(protocol.NO_ROOM), protocol.ENDED, Status.OUTPUT_LIMIT),
        (KILLED(11), protocol.ENDED, Status.CRASHED),
        (KILLED(9), protocol.DEADLINE, Status.TIMEOUT),
    ],
)
def test_calls_that_never_came_back_share_the_ending(status: int, end: int, expected: Status) -> None:
    data = LOADED + frame(protocol.VALUE, "1")
    outcomes = reading.read(response(data, status, end), 3).outcomes
    assert [outcome.status for outcome in outcomes] == [Status.VALUE, expected, expected]


def test_no_value_counts_after_an_unclean_end() -> None:
    data = LOADED + frame(protocol.VALUE, "1") + frame(protocol.VALUE, "2")
    for status, end in ((EXITED(3), protocol.ENDED), (KILLED(11), protocol.ENDED), (KILLED(9), protocol.DEADLINE)):
        outcomes = reading.read(response(data, status, end), 2).outcomes
        assert Status.VALUE not in [outcome.status for outcome in outcomes]


def test_a_kill_from_outside_says_nothing_about_the_program() -> None:
    with pytest.raises(reading.Unexplained):
        reading.read(response(LOADED, KILLED(9)), 1)


def tampered(data: bytes, how: str, at: int, other: int) -> bytes:
    at %= len(data) + 1
    if how == "cut":
        return data[:at]
    if how == "extend":
        return data + bytes([other])
    if how == "insert":
        return data[:at] + bytes([other]) + data[at:]
    if how == "drop":
        return data[:at] + data[at + 1 :]
    return data[:at] + bytes([other]) + data[at + 1 :]


HOW = st.sampled_from(["cut", "extend", "insert", "drop", "change"])


@given(
    given_values=st.lists(values, min_size=1, max_size=3), how=HOW, at=st.integers(0, 10_000), other=st.integers(0, 255)
)
def test_tampered_frames_are_never_more_than_what_stands_in_them(
    given_values: list[object], how: str, at: int, other: int
) -> None:
    """A full set of values comes only out of bytes that are again exactly one honest frame per value."""
    data = tampered(LOADED + b"".join(frame(protocol.VALUE, dumps(value)) for value in given_values), how, at, other)
    outcomes = reading.read(response(data), len(given_values)).outcomes
    assert len(outcomes) == len(given_values)
    if all(outcome.status is Status.VALUE for outcome in outcomes):
        rest = data.removeprefix(LOADED)
        for outcome in outcomes:
            (kind, size), rest = protocol.FRAME.unpack_from(rest), rest[protocol.FRAME.size :]
            assert kind == protocol.VALUE
            assert dumps(loads(rest[:size].decode())) == dumps(outcome.value)
            rest = rest[size:]
        assert rest == b""


ODD_FRAMES = {
    "one more value": LOADED + frame(protocol.VALUE, "1") * 3,
    "loaded twice": LOADED * 2 + frame(protocol.VALUE, "1") * 2,
    "loaded late": frame(protocol.VALUE, "1") + LOADED + frame(protocol.VALUE, "1"),
    "a byte after": LOADED + frame(protocol.VALUE, "1") * 2 + b"\0",
    "a header after": LOADED + frame(protocol.VALUE, "1") * 2 + protocol.FRAME.pack(protocol.VALUE, 0)[:-1],
    "a size beyond the end": LOADED + frame(protocol.VALUE, "1") + protocol.FRAME.pack(protocol.VALUE, 2) + b"1",
    "the largest size": LOADED + frame(protocol.VALUE, "1") + protocol.FRAME.pack(protocol.VALUE, 2**32 - 1) + b"1",
    "two values in one": LOADED + frame(protocol.VALUE, "1") + frame(protocol.VALUE, "1 1"),
    "white space": LOADED + frame(protocol.VALUE, "1") + frame(protocol.VALUE, " 1"),
    "an empty text": LOADED + frame(protocol.VALUE, "1") + frame(protocol.VALUE, ""),
    "an unknown kind": LOADED + frame(protocol.VALUE, "1") + frame(6, "1"),
    "the largest kind": LOADED + frame(protocol.VALUE, "1") + frame(255, "1"),
}


@pytest.mark.parametrize("data", ODD_FRAMES.values(), ids=ODD_FRAMES)
def test_nearly_right_frames_are_no_full_set_of_values(data: bytes) -> None:
    outcomes = reading.read(response(data), 2).outcomes
    assert [outcome.status for outcome in outcomes] != [Status.VALUE] * 2
