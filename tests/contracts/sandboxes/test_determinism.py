"""The same answer every time, and nothing of one run in the next; what cannot be the same shows between replicas."""

from __future__ import annotations

import pytest

from app.domain.ports import Status
from tests.contracts.sandboxes.conftest import Subject

pytestmark = pytest.mark.asyncio(loop_scope="module")

VARYING = {
    "hash of text": "def f(): return hash('text')",
    "order of a set": "def f(): return list({str(i) for i in range(50)})",
    "unseeded random": "import random\ndef f(): return random.random()",
    "a generator of its own": "import random\ndef f(): return random.Random().random()",
    "id": "def f(): return [id(object()), id(f)]",
    "default repr": "def f(): return repr(object())",
    "clock": "import sys\ndef f(): return sys.modules['time'].perf_counter_ns()",
}
FIXED = {
    "seeded random": "import random\ndef f():\n    random.seed(3)\n    return [random.random(), random.randrange(9)]",
    "seeded generator": "import random\ndef f(): return random.Random(3).random()",
    "order of a dict": "def f(): return {str(i): i for i in range(50)}",
    "sorted set": "def f(): return sorted({str(i) for i in range(50)})",
    "set": "def f(): return {str(i) for i in range(50)}",
    "hash of numbers": "def f(): return [hash(1.5), hash((1, 2)), hash(10 ** 30)]",
    "floats": "import math\ndef f(): return [0.1 + 0.2, math.sin(1e6), 1e308 * 10, 2 ** 0.5]",
    "decimal": "import decimal\ndef f(): return str(decimal.Decimal(1) / 7)",
}


@pytest.mark.parametrize("source", VARYING.values(), ids=VARYING)
async def test_what_varies_shows_between_replicas(subject: Subject, source: str) -> None:
    assert await subject.outcome(source) != await subject.outcome(source, replica=1)


@pytest.mark.parametrize("source", FIXED.values(), ids=FIXED)
async def test_what_is_fixed_agrees_between_replicas(subject: Subject, source: str) -> None:
    first = await subject.outcome(source)
    assert first.status is Status.VALUE
    assert first == await subject.outcome(source) == await subject.outcome(source, replica=1)


async def test_one_replica_repeats_itself(subject: Subject) -> None:
    source = "import random\ndef f(): return [random.random(), list({'a', 'b', 'c'}), hash('x')]"
    assert len({repr(await subject.value(source)) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nos = sys.modules['os']\ndef f(): return os.urandom(8)",
        "import random\ndef f(): return random.SystemRandom().random()",
        "import uuid\ndef f(): return str(uuid.uuid4())",
        "import secrets\ndef f(): return secrets.token_hex()",
        "import time\ndef f(): return time.time()",
        "import datetime\ndef f(): return str(datetime.datetime.now())",
        "import datetime\ndef f(): return str(datetime.datetime.utcnow())",
        "import datetime\ndef f(): return str(datetime.date.today())",
        "from datetime import datetime\ndef f(): return str(datetime.today())",
        "from datetime import datetime\nclass D(datetime): pass\ndef f(): return str(D.now())",
    ],
)
async def test_sources_of_chance_are_not_there(subject: Subject, source: str) -> None:
    assert (await subject.outcome(source)).status is Status.EXCEPTION


async def test_programs_do_not_learn_how_many_ran_before(subject: Subject) -> None:
    source = "import enum\ndef f(): return enum.sys.modules['posix'].getpid()"
    assert len({repr(await subject.outcome(source, replica=replica)) for replica in (0, 0, 1)}) == 1


async def test_nothing_stays_for_the_next_run(subject: Subject) -> None:
    leave = """
import sys, math, json, weakref, random
builtins = sys.modules['builtins']
math.marker = json.marker = builtins.marker = sys.marker = 1
sys.modules['marker'] = math
json.dumps = math.sqrt = lambda *a, **k: 'patched'
builtins.len = lambda x: 99
sys.setrecursionlimit(50_000)
random.seed(1)
class D:
    def __del__(self): builtins.marker = 2
keep = [D()]
weakref.finalize(keep[0], print)
def f():
    return 1
"""
    look = """
import sys, math, json, random
builtins = sys.modules['builtins']
def f():
    return [hasattr(m, 'marker') for m in (math, json, builtins, sys)] + [
        'marker' in sys.modules, json.dumps([1]), math.sqrt(4.0), len('ab'), sys.getrecursionlimit(), random.random()]
"""
    before = await subject.value(look)
    assert before[:8] == [False, False, False, False, False, "[1]", 2.0, 2]
    await subject.outcome(leave)  # it may well have broken its own process
    assert await subject.value(look) == before


async def test_arguments_are_fresh_in_each_call(subject: Subject) -> None:
    shared = [1]
    execution = await subject.execute(
        "def f(x, y):\n    x.append(2)\n    return [x, y, x is y]", (shared, shared), (shared, shared)
    )
    assert [o.value for o in execution.outcomes] == [[[1, 2], [1], False]] * 2
    assert shared == [1]
