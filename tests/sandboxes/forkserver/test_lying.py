"""A zygote that has been taken over says what it likes: the driver ends with an error of ours, in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from pathlib import Path

import pytest

from app.domain.ports import Call, Limits, Program, Status
from app.errors import SandboxUnavailable
from app.sandboxes.forkserver import ForkServerSandbox, pool, process, protocol, reading
from app.sandboxes.forkserver.process import Zygote, ZygoteDied

LIAR = """
import json, os, struct, sys, time
options = json.loads(sys.argv[1])
control = options["control"]
def say(data):
    while data: data = data[os.write(control, data):]
def greet(text): say(struct.pack("<I", len(text)) + text)
def hear(): return os.read(control, 1 << 16)
layers = {"namespaces": "", "identity": "", "landlock": "", "seccomp": ""}
honest = json.dumps({"layers": layers}).encode()
FRAME, RESPONSE = struct.Struct("<BI"), struct.Struct("<IBIIIIi")
def respond(frames, end=0, status=0, size=None):
    say(RESPONSE.pack(len(frames) if size is None else size, end, 1, 1, 1, 1, status) + frames)
def value(text): return FRAME.pack(0, len(text)) + text
walls = FRAME.pack(5, 0) + value(b"[]")
def start():
    greet(honest); hear(); respond(walls); hear()
"""
GREETINGS = {
    "nothing": "",
    "an end": "os._exit(0)",
    "no JSON": "greet(b'{')",
    "no UTF-8": "greet(bytes([255, 254, 255]))",
    "deep JSON": "greet(b'[' * 200_000)",
    "a number": "greet(b'1')",
    "a list": "greet(b'[]')",
    "null": "greet(b'null')",
    "an empty object": "greet(b'{}')",
    "layers that are none": "greet(b'{\"layers\": 3}')",
    "a layer that is unknown": "greet(json.dumps({'layers': {'magic': 'x'}}).encode())",
    "a reason that is none": "greet(json.dumps({'layers': {**layers, 'landlock': [1]}}).encode())",
    "layers left out": "greet(b'{\"layers\": {}}')",
    "half a length": "say(b'\\x01')",
    "a length without an end": "say(struct.pack('<I', 2 ** 32 - 1) + b'x')",
    "an endless greeting": "say(struct.pack('<I', 2 ** 32 - 1))\nwhile True: say(b'x' * 65536)",
    "two greetings": "greet(honest); greet(honest)",
    "an error that is none": "greet(b'{\"error\": {}}')",
    "garbage": "say(bytes(range(256)) * 9)",
}
RESPONSES = {
    "an end": "os._exit(0)",
    "nothing": "",
    "half a header": "say(b'\\0' * 9)",
    "a size that never comes": "respond(value(b'1'), size=2 ** 32 - 1)",
    "an endless response": "respond(b'', size=2 ** 32 - 1)\nwhile True: say(b'x' * 65536)",
    "a signal that is none": "respond(FRAME.pack(5, 0) + value(b'1'), status=64)",
    "the largest signal": "respond(FRAME.pack(5, 0) + value(b'1'), status=127)",
    "a negative status": "respond(FRAME.pack(5, 0) + value(b'1'), status=-1)",
    "an unknown end": "respond(FRAME.pack(5, 0) + value(b'1'), end=77)",
    "no frames": "respond(b'')",
    "a value without its beginning": "respond(b'1')",
    "garbage": "say(bytes(range(256)) * 9)",
    "ones": "say(b'\\xff' * 4096)",
}
# After an honest response, which may have been read before the rest comes.
ADDITIONS = ["say(b'x')", "respond(FRAME.pack(5, 0) + value(b'2'))", "say(bytes(5_000_000))"]
# What takes over a zygote may answer as it likes, in good form. It gets nothing else across.
HONEST_FRAMES = [(Status.VALUE, 1), (Status.VALUE, 2), (Status.CRASHED, None)]
PROGRAM = Program("def f(): return 1", (Call("f", ()),), Limits(wall_ms=100))
REQUEST = protocol.REQUEST.pack(protocol.RUN, 0, 100, 100, 1, 64)
LONGEST_S = 40


@pytest.fixture
def liar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script to be written; the driver's patience is made short."""
    script = tmp_path / "liar.py"
    monkeypatch.setattr(Zygote, "script", script)
    monkeypatch.setattr(process, "_START_S", 1.0)
    monkeypatch.setattr(process, "_GRACE_S", 0.5)
    monkeypatch.setattr(pool, "_ATTEMPT_MS", 50)
    return script


def write(script: Path, body: str) -> None:
    script.write_text(f"{LIAR}\n{body}\ntime.sleep(60)\n")


async def outcome(script: Path, body: str) -> Status | str:
    """How the run ended, which it must do in time: a status, or the name of an error of ours."""
    write(script, body)
    try:
        async with asyncio.timeout(LONGEST_S), ForkServerSandbox.open() as sandbox:
            return (await sandbox.run(PROGRAM)).outcomes[0].status
    except SandboxUnavailable:
        return "unavailable"


@pytest.mark.parametrize("body", GREETINGS.values(), ids=GREETINGS)
async def test_a_lying_greeting_opens_nothing(liar: Path, body: str) -> None:
    assert await outcome(liar, body) == "unavailable"


@pytest.mark.parametrize("body", RESPONSES.values(), ids=RESPONSES)
async def test_a_lying_response_gives_no_value(liar: Path, body: str) -> None:
    assert await outcome(liar, f"start()\n{body}") in ("unavailable", Status.CRASHED)


@pytest.mark.parametrize("addition", ADDITIONS)
async def test_what_follows_a_response_is_in_good_form_or_an_error(liar: Path, addition: str) -> None:
    write(liar, f"start()\nrespond(FRAME.pack(5, 0) + value(b'1')); {addition}")
    async with asyncio.timeout(LONGEST_S), ForkServerSandbox.open() as sandbox:
        for _ in range(3):
            with contextlib.suppress(SandboxUnavailable):
                (found,) = (await sandbox.run(PROGRAM)).outcomes
                assert (found.status, found.value) in HONEST_FRAMES


async def test_honest_words_of_the_fake_are_taken(liar: Path) -> None:
    """Otherwise the tests above would pass for the wrong reason."""
    assert await outcome(liar, "start()\nrespond(FRAME.pack(5, 0) + value(b'1'))") is Status.VALUE


def noise(chance: random.Random) -> bytes:
    """Bytes near enough to the protocol to get deep into it."""
    parts = []
    for _ in range(chance.randrange(5)):
        frames = b"".join(
            protocol.FRAME.pack(chance.choice([0, 0, 1, 2, 5, 9]), chance.choice([0, 1, 1, 2, 2**31]))
            + chance.randbytes(1)
            for _ in range(chance.randrange(3))
        )
        size = chance.choice([len(frames), len(frames), 0, 3, 2**32 - 1])
        fields = (
            chance.randrange(256),
            *(chance.randrange(2**32) for _ in range(4)),
            chance.randrange(-(2**31), 2**31),
        )
        parts.append(
            chance.choice([protocol.RESPONSE.pack(size, *fields) + frames, chance.randbytes(chance.randrange(40))])
        )
    return b"".join(parts)


async def test_any_noise_is_an_error_of_ours_or_a_failure_of_the_program(liar: Path) -> None:
    """Without a process: the bytes are handed to the driver as they would come from the socket, in pieces."""
    write(liar, "greet(honest)")
    chance = random.Random(11)
    for _ in range(25):
        data = noise(chance)
        zygote = await Zygote.start(preload=(), without=(), replica=0, wide=True)
        try:
            asked = zygote.request(REQUEST, b"", 100)
            cut = chance.randrange(len(data) + 1)
            for piece in (data[:cut], data[cut:]):
                if piece and zygote.alive:
                    zygote.data_received(piece)
            if asked.done() and not asked.exception():
                assert cut < len(data) or len(data) >= protocol.RESPONSE.size
                with contextlib.suppress(reading.Unexplained):
                    (found,) = reading.read(asked.result(), 1).outcomes
                    assert found.status is not Status.VALUE
        finally:
            zygote.kill()
            asked.cancel()


def test_the_fake_speaks_the_protocol() -> None:
    assert f'Struct("{protocol.FRAME.format}")' in LIAR
    assert f'Struct("{protocol.RESPONSE.format}")' in LIAR
    assert json.dumps([protocol.VALUE, protocol.LOADED]) == "[0, 5]"
    assert issubclass(ZygoteDied, Exception)
