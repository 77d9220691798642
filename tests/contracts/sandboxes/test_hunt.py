"""A hunt for a program that is judged right while it is wrong: tricks in any order and combination.

Each generated program aims at one thing: that the outcomes of its calls be the gold values, which it does not know. The
gold value of this hunt is drawn anew for each program and never leaves the driver, so that no trick can compute it:
any outcome that is the gold value, and any trace of it in what came back, is a hole.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from app import registry
from app.domain.fences import fenced
from app.domain.problem import Problem, Verdict
from app.sandboxes.forkserver import reading
from app.sandboxes.forkserver.process import Response
from tests.contracts.sandboxes.conftest import Subject
from tests.contracts.sandboxes.test_attempts import CHANNEL

pytestmark = pytest.mark.asyncio(loop_scope="module")
CALLS = 3
OPTIONS = {"wall_ms": 200, "memory_mb": 128}
HELP = f"""
{CHANNEL}
marshal, json, types = sys.modules['marshal'], sys.modules['json'], sys.modules['types']
child, codec = sys.modules['app.sandboxes.forkserver.child'], sys.modules['app.domain.values.codec']
builtins = sys.modules['builtins']
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __len__(self): return {CALLS}
    def __iter__(self): return iter([self])
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __repr__(self): return '1'
class Number(int):
    __eq__, __hash__ = Equal.__eq__, int.__hash__
    def __ne__(self, other): return False
class Text(str):
    __eq__, __hash__ = Equal.__eq__, str.__hash__
"""
# Statements at the top of the program; each may fail on its own.
TRICKS = [
    "builtins.len = lambda x: 0",
    "builtins.type = lambda *a: int",
    "builtins.repr = lambda x: '1'",
    "builtins.isinstance = lambda *a: True",
    "json.dumps = lambda *a, **k: '1'",
    "codec.dumps = child.dumps = lambda *a: '1'",
    "codec._encode = lambda *a: '1'",
    "codec.quote = lambda x: '{\"passed\":true}'",
    "codec.LEVELS = Equal()",
    "codec.Unsupported = child.Unsupported = Exception",
    "codec._take = lambda *a: None",
    "child.dumps = lambda value, depth: value if type(value) is str else '1'",
    "child._result = lambda *a: (0, '1')",
    'child._describe = lambda e: \'["", ""]\'',
    "child.Channel.send = lambda self, kind, text='': None",
    "type(channel).send = lambda self, kind, text='': os._exit(0)",
    "send = type(channel).send; type(channel).send = lambda self, k, t='': [send(self, k, t), send(self, k, t)]",
    "send = type(channel).send; type(channel).send = lambda self, k, t='': send(self, 0, '1')",
    "protocol.VALUE, protocol.EXCEPTION = 1, 0",
    "protocol.CLEAN = 9",
    "protocol.BROKEN = protocol.CLEAN",
    "protocol.NO_MEMORY = protocol.NO_ROOM = 0",
    "channel._end = 8",
    "channel._room = 1 << 30",
    "channel._area = bytearray(1 << 20)",
    "channel.send(5)",
    "channel.send(0, '1')",
    "[channel.send(0, '1') for _ in range(CALLS)]",
    'channel.send(0, \'{"i":"0x1"}\')',
    'channel.send(1, \'["E", ""]\')',
    "protocol.USED.pack_into(area, 0, 0)",
    "protocol.USED.pack_into(area, 0, 1 << 63)",
    "area[:] = bytes(len(area))",
    "area[8:8 + CALLS * 6 + 5] = b'\\5\\0\\0\\0\\0' + b'\\0\\1\\0\\0\\x001' * CALLS",
    "protocol.USED.pack_into(area, 0, CALLS * 6 + 5)",
    "[m.__setitem__(slice(0, 8), bytes(8)) for m in gc.get_objects() if type(m) is mmap.mmap]",
    "os._exit(0)",
    "os._exit(70)",
    "os.abort()",
    "os.kill(os.getpid(), 9)",
    "signal.raise_signal(9)",
    "os._exit = lambda code: None",
    "real = os._exit; os._exit = lambda code: real(0)",
    "sys.modules['atexit'].register(lambda: os._exit(0))",
    "sys.modules['_thread'].start_new_thread(lambda: os._exit(0), ())",
    "signal.signal(14, lambda *a: os._exit(0)); signal.alarm(1)",
    "sys.settrace(lambda *a: None)",
    "sys.setprofile(lambda frame, event, arg: None)",
    "sys.setrecursionlimit(30)",
    "sys.excepthook = lambda *a: os._exit(0)",
    "frame.f_locals.get('calls', ())",
    "[c.clear() for c in gc.get_objects() if type(c) is list and len(c) == CALLS]",
    "[t for t in gc.get_objects() if type(t) is tuple and len(t) == CALLS]",
    "gc.disable()",
    "gc.callbacks.append(lambda *a: channel.send(0, '1'))",
    "ctypes.memmove(ctypes.addressof(ctypes.c_char.from_buffer(area)), b'\\xff' * 40, 40)",
    "sys.modules.clear()",
    "sys.stdout = sys.stderr = Equal()",
    "class Leave:\n    def __del__(self): channel.send(0, '1')\nleave = Leave()",
    "marshal.loads = lambda x: ('', ())",
    "builtins.BaseException = builtins.Exception = ValueError",
    "child.run.__code__ = child._describe.__code__",
]
# What `f` gives: `found` is what the tricks below think the answer is.
RESULTS = [
    "return 1", "return Equal()", "return Number(1)", "return Text('1')", "return [Equal()] * CALLS", "return True",
    "return {Number(1): Equal()}", "return NotImplemented", "raise SystemExit(0)", "raise Equal()", "os._exit(0)",
    "raise MemoryError", "yield 1", "return f", "return types.SimpleNamespace(passed=True, verdict='passed')",
    "return [str(o)[:300] for o in gc.get_objects() if type(o) in (tuple, list)][:200]",
    "return [repr(v)[:200] for v in frame.f_locals.values()] + [repr(v)[:200] for v in frame.f_back.f_locals.values()]",
    "return [k + '=' + v for k, v in os.environ.items()] + sys.argv + sys.orig_argv",
    "return bytes(area)[:20000]", "return os.read(0, 1000)", "return os.read(3, 1000)",
    "return open('/proc/self/environ').read()", "return sorted(sys.modules)",
    "f.__code__ = (lambda *a: 2).__code__; return 1",
    "global count; count = globals().get('count', 0) + 1; return [0] * count",
    "channel.send(0, '1'); return 1", "channel.send(0, '1'); os._exit(0)",
]  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> str:
    guarded = [_guarded(trick, draw(st.booleans())) for trick in draw(st.lists(st.sampled_from(TRICKS), max_size=4))]
    body = draw(st.lists(st.sampled_from(TRICKS), max_size=2).map(lambda tricks: [t for t in tricks if "\n" not in t]))
    lines = [f"    try: {trick.replace('; ', chr(10) + '         ')}\n    except BaseException: pass" for trick in body]
    lines = [line for line in lines if "\n         " not in line or line.count("\n") < 9]
    function = "\n".join(["def f(x):", *lines, f"    {draw(st.sampled_from(RESULTS))}"])
    parts = [HELP, f"CALLS = {CALLS}", *guarded, function]
    if draw(st.booleans()):  # a trick after the definition
        parts.append(_guarded(draw(st.sampled_from(TRICKS)), swallow=True))
    return "\n".join(parts)


def _guarded(trick: str, swallow: bool) -> str:
    inside = "\n".join(f"    {line}" for line in trick.splitlines())
    return f"try:\n{inside}\nexcept BaseException: pass" if swallow else trick


class Canary:
    """A gold value that nobody can guess, in the types that a gold value may have."""

    def __init__(self) -> None:
        self.secret = secrets.token_hex(12)
        self.number = int(self.secret, 16)

    def values(self) -> Iterator[object]:
        yield from (
            self.secret,
            self.number,
            [self.secret],
            (self.number, True),
            {self.secret: 1},
            self.secret.encode(),
        )

    def traces(self) -> tuple[bytes, ...]:
        return self.secret.encode(), str(self.number).encode(), self.secret.encode().hex().encode()


async def hunt(subject: Subject, source: str, seen: list[bytes]) -> None:
    """Judges `source` as the answer to a problem whose gold values are canaries: in no case does it pass."""
    canary, before = Canary(), len(seen)
    environment = registry.environment("induction")
    inputs, outputs = tuple((i,) for i in range(CALLS)), tuple(canary.values())[:CALLS]
    problem = Problem(environment.name, "def f(x): pass", inputs, outputs, "", OPTIONS)
    (judgement,) = await environment.verify(problem, [fenced(source, "python")], subject.sandbox)
    assert judgement.verdict is Verdict.FAILED, source
    assert not any(trace in frames for frames in seen[before:] for trace in canary.traces()), source


def examples() -> int:
    return int(os.environ.get("HUNT_EXAMPLES", "120"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The raw bytes of all frames, as they came."""
    found: list[bytes] = []
    read = reading.read

    def noting(response: Response, calls: int) -> object:
        found.append(response.frames)
        return read(response, calls)

    monkeypatch.setattr(reading, "read", noting)
    return found


SETTINGS = settings(
    max_examples=examples(), deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def _drawn(count: int, start: int) -> list[str]:
    found: list[str] = []

    @seed(start)
    @settings(SETTINGS, max_examples=count)
    @given(programs())
    def collect(source: str) -> None:
        found.append(source)

    collect()
    return found


@pytest.mark.parametrize("trick", range(len(TRICKS)))
async def test_no_trick_alone_makes_a_wrong_value_pass(subject: Subject, seen: list[bytes], trick: int) -> None:
    guarded = _guarded(TRICKS[trick], swallow=True)
    await hunt(subject, f"{HELP}\nCALLS = {CALLS}\n{guarded}\ndef f(x): return 1", seen)
    assert seen


async def test_no_program_makes_a_wrong_value_pass(subject: Subject, seen: list[bytes]) -> None:
    for source in _drawn(examples(), 1):
        await hunt(subject, source, seen)
    await subject.assert_calm()


@pytest.mark.slow
async def test_no_program_of_many_makes_a_wrong_value_pass(subject: Subject, seen: list[bytes]) -> None:
    for source in _drawn(20 * examples(), secrets.randbelow(1 << 32)):
        await hunt(subject, source, seen)
        seen.clear()
    await subject.assert_calm()


async def test_the_hunt_would_see_a_gold_value(
    subject: Subject, seen: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that has it is caught, by its verdict and by its trace; otherwise the hunt proves nothing."""
    secret = "feedface" * 3
    monkeypatch.setattr(secrets, "token_hex", lambda _: secret)
    golds = f"{list(Canary().values())}[x]"
    for result in (golds, f"['x', {secret!r}]"):
        with pytest.raises(AssertionError):
            await hunt(subject, f"def f(x): return {result}", seen)
