"""Attempts to get out, to get at others, or to stay: each is refused, and the next run is a normal one."""

from __future__ import annotations

import platform

import pytest

from app.domain.ports import Limits, Outcome, Status
from tests.contracts.sandboxes.conftest import Subject

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = Limits(wall_ms=300, cpu_ms=300, memory_mb=128)
# Modules that programs may not import, taken from where they lie.
REACH = """
import sys
names = "os signal mmap ctypes resource time gc"
os, signal, mmap, ctypes, resource, time, gc = (sys.modules[name] for name in names.split())
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    libc.syscall.restype = ctypes.c_long
    result = libc.syscall(*map(ctypes.c_long, (number, *arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), 'refused')
    return result
def text(value):
    global kept
    kept = ctypes.create_string_buffer(value)
    return ctypes.addressof(kept)
"""
# x86-64 and aarch64 numbers of what no program needs, with arguments that would work outside.
SYSTEM_CALLS = {
    "fork": (57, None, ""),
    "vfork": (58, None, ""),
    "clone": (56, 220, "17, 0, 0, 0, 0"),
    "clone into a user namespace": (56, 220, "0x10000011, 0, 0, 0, 0"),
    "clone3": (435, 435, "text(bytes(88)), 88"),
    "execve": (59, 221, "text(b'/bin/true'), 0, 0"),
    "execveat": (322, 281, "-100, text(b'/bin/true'), 0, 0, 0"),
    "memfd_create": (319, 279, "text(b'x'), 0"),
    "memfd_secret": (447, 447, "0"),
    "open": (2, None, "text(b'/etc/passwd'), 0"),
    "openat": (257, 56, "-100, text(b'/etc/passwd'), 0"),
    "openat2": (437, 437, "-100, text(b'/etc/passwd'), text(bytes(24)), 24"),
    "open_by_handle_at": (304, 265, "-100, text(bytes(64)), 0"),
    "creat in shared memory": (85, None, "text(b'/dev/shm/x'), 0o600"),
    "readlink": (89, None, "text(b'/proc/self/exe'), text(bytes(99)), 99"),
    "stat": (4, None, "text(b'/etc/passwd'), text(bytes(256))"),
    "statx": (332, 291, "-100, text(b'/etc/passwd'), 0, 0, text(bytes(256))"),
    "getdents": (217, 61, "0, text(bytes(99)), 99"),
    "symlink": (88, None, "text(b'/etc/passwd'), text(b'/tmp/x')"),
    "unlink": (87, None, "text(b'/tmp/x')"),
    "mkdir": (83, None, "text(b'/tmp/x'), 0o700"),
    "chdir": (80, 49, "text(b'/')"),
    "chroot": (161, 51, "text(b'/')"),
    "mount": (165, 40, "text(b'tmpfs'), text(b'/'), text(b'tmpfs'), 0, 0"),
    "fsopen": (430, 430, "text(b'tmpfs'), 0"),
    "open_tree": (428, 428, "-100, text(b'/'), 1"),
    "pivot_root": (155, 41, "text(b'.'), text(b'.')"),
    "unshare": (272, 97, "0x10000000"),
    "setns": (308, 268, "0, 0"),
    "socket": (41, 198, "2, 1, 0"),
    "UDP socket": (41, 198, "2, 2, 0"),
    "Unix socket": (41, 198, "1, 1, 0"),
    "netlink socket": (41, 198, "16, 3, 0"),
    "vsock": (41, 198, "40, 1, 0"),
    "socketpair": (53, 199, "1, 1, 0, text(bytes(8))"),
    "pipe": (293, 59, "text(bytes(8)), 0"),
    "dup": (32, 23, "0"),
    "ptrace": (101, 117, "0, 0, 0, 0"),
    "process_vm_readv": (310, 270, "os.getppid(), 0, 0, 0, 0, 0"),
    "process_vm_writev": (311, 271, "os.getppid(), 0, 0, 0, 0, 0"),
    "pidfd_open": (434, 434, "1, 0"),
    "pidfd_getfd": (438, 438, "0, 0, 0"),
    "kcmp": (312, 272, "1, 1, 0, 0, 0"),
    "kill itself": (62, 129, "os.getpid(), 9"),
    "kill the parent": (62, 129, "PARENT, 0"),
    "kill everyone": (62, 129, "-1, 0"),
    "tgkill": (234, 131, "PARENT, PARENT, 0"),
    "rt_sigqueueinfo": (129, 138, "PARENT, 10, text(bytes(128))"),
    "ignore a signal": (13, 134, "27, text(bytes(64)), 0, 8"),
    "block signals": (14, 135, "0, text(b'\\xff' * 8), 0, 8"),
    "stop the timer": (38, 103, "2, text(bytes(32)), 0"),
    "raise a limit": (302, 261, "0, 9, text(b'\\xff' * 16), 0"),
    "become dumpable": (157, 167, "4, 1, 0, 0, 0"),
    "change the sandbox's name": (157, 167, "15, text(b'x'), 0, 0, 0"),
    "another filter": (317, 277, "1, 0, 0"),
    "setuid": (105, 146, "0"),
    "capset": (126, 91, "text(bytes(8)), text(bytes(24))"),
    "setpriority": (141, 140, "0, 0, 19"),
    "sched_setscheduler": (144, 119, "0, 1, text(bytes(4))"),
    "sched_setaffinity": (203, 122, "0, 8, text(b'\\xff' * 8)"),
    "keyctl": (250, 219, "0, -3, 0"),
    "add_key": (248, 217, "text(b'user'), text(b'x'), text(b'x'), 1, -3"),
    "bpf": (321, 280, "0, text(bytes(72)), 72"),
    "userfaultfd": (323, 282, "1"),
    "io_uring_setup": (425, 425, "1, text(bytes(120))"),
    "perf_event_open": (298, 241, "text(bytes(128)), 0, -1, -1, 0"),
    "shmget": (29, 194, "0, 4096, 0o1600"),
    "mq_open": (240, 180, "text(b'x'), 0o102, 0o600, 0"),
    "inotify": (294, 26, "0"),
    "eventfd": (290, 19, "0, 0"),
    "timerfd": (283, 85, "1, 0"),
    "reboot": (169, 142, "0, 0, 0, 0"),
    "init_module": (175, 105, "0, 0, 0"),
    "syslog": (103, 116, "3, 0, 0"),
    "getrandom": (318, 278, "text(bytes(8)), 8, 0"),
    "executable memory": (9, 222, "0, 4096, 7, 0x22, -1, 0"),
    "nanosleep": (35, 101, "text(bytes(16)), 0"),
    "personality": (135, 92, "0x40000"),
    "landlock": (444, 444, "0, 0, 1"),
    "ioctl": (16, 29, "0, 0x5401, text(bytes(64))"),
    "vmsplice": (278, 75, "1, 0, 0, 0"),
    "modify_ldt": (154, None, "0, 0, 0"),
    "iopl": (172, None, "3"),
}


# What is refused must be so wherever a program runs, which may depend on what it imports.
everywhere = pytest.mark.parametrize("imports", ["", "import decimal\n"], ids=["few modules", "many modules"])


async def refusal(subject: Subject, body: str, limits: Limits = QUICK, imports: str = "") -> Outcome:
    outcome = await subject.outcome(f"{imports}{REACH}\ndef f():\n    PARENT = 1\n    {body}", limits=limits)
    await subject.assert_calm()
    return outcome


@everywhere
@pytest.mark.parametrize("name", SYSTEM_CALLS)
async def test_system_calls_are_refused(subject: Subject, name: str, imports: str) -> None:
    intel, arm, arguments = SYSTEM_CALLS[name]
    number = arm if platform.machine() == "aarch64" else intel
    if number is None:
        pytest.skip("this machine has no such call")
    outcome = await refusal(subject, f"return call({number}, {arguments})".replace(", )", ")"), imports=imports)
    assert outcome.status is Status.EXCEPTION, outcome
    assert outcome.error in ("PermissionError", "OSError"), outcome
    assert "refused" in outcome.detail


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 alone has a third ABI")
async def test_foreign_abi_ends_the_program(subject: Subject) -> None:
    outcome = await refusal(subject, "return call(0x40000000 + 39)")
    assert (outcome.status, outcome.detail) == (Status.CRASHED, "signal SIGSYS")


PYTHON_WAYS = {
    "read a file": "return open('/etc/passwd').read()",
    "read the application": "return open(sys.modules['app'].__file__).read()",
    "read its environment": "return open('/proc/self/environ').read()",
    "read process 1": "return open('/proc/1/environ').read()",
    "read its own memory": "return open('/proc/self/mem', 'rb').read()",
    "list files": "return os.listdir('/')",
    "list descriptors": "return os.listdir('/proc/self/fd')",
    "write a file": "open('/tmp/x', 'w').write('x')",
    "write to shared memory": "open('/dev/shm/x', 'w').write('x')",
    "write the library's bytecode": "open(sys.modules['json'].__cached__, 'wb').write(b'x')",
    "delete the library": "os.unlink(sys.modules['json'].__file__)",
    "make a link": "os.symlink('/etc/passwd', '/tmp/x')",
    "change mode": "os.chmod('/tmp', 0o777)",
    "fork": "return os.fork()",
    "spawn": "return os.posix_spawn('/bin/true', ['true'], {})",
    "execute": "os.execv('/bin/true', ['true'])",
    "system": "raise OSError('refused') if os.system('true') else Exception",
    "popen": "return os.popen('id').read()",
    "a thread": "sys.modules['_thread'].start_new_thread(print, ())",
    "become root": "os.setuid(0)",
    "raise memory limit": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "ignore signals": "signal.signal(signal.SIGPROF, signal.SIG_IGN)",
    "cancel the timer": "signal.setitimer(signal.ITIMER_PROF, 0)",
    "alarm": "signal.setitimer(signal.ITIMER_REAL, 1)",
    "block signals": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
    "kill the parent": "os.kill(os.getppid(), 9)",
    "kill everyone": "os.kill(-1, 9)",
    "kill the group": "os.killpg(0, 9)",
    "map executable memory": "mmap.mmap(-1, 4096, prot=7)",
    "load a library": "ctypes.CDLL('libssl.so.3')",
    "import from a file": "sys.path.append('/usr/lib/python3'); sys.modules['importlib'].import_module('sqlite3')",
    "sleep": "time.sleep(0.01)",
}


@everywhere
@pytest.mark.parametrize("body", PYTHON_WAYS.values(), ids=PYTHON_WAYS)
async def test_python_ways_are_refused(subject: Subject, body: str, imports: str) -> None:
    outcome = await refusal(subject, body, imports=imports)
    assert outcome.status in (Status.EXCEPTION, Status.CRASHED), outcome
    assert outcome.status is Status.CRASHED or outcome.error in (
        "PermissionError", "OSError", "ModuleNotFoundError", "RuntimeError", "error", "ValueError", "AttributeError",
        "itimer_error", "ItimerError",
    ), outcome  # fmt: skip


IMPORTS = (
    *(
        "os",
        "subprocess",
        "socket",
        "ctypes",
        "threading",
        "multiprocessing",
        "time",
        "signal",
        "resource",
        "gc",
        "mmap",
    ),
    *("pickle", "importlib", "site", "select", "sqlite3", "asyncio", "app", "app.domain.values", "numpy", "builtins"),
)


@pytest.mark.parametrize("name", IMPORTS)
async def test_other_modules_are_not_available(subject: Subject, name: str) -> None:
    outcome = await subject.outcome(f"import {name}\ndef f(): return 1")
    assert (outcome.status, outcome.error, outcome.loading) == (Status.EXCEPTION, "ModuleNotFoundError", True)
    assert name in outcome.detail


async def test_descriptors_hold_nothing(subject: Subject) -> None:
    source = f"""{REACH}
def f():
    found = []
    for descriptor in range(3, 1024):
        try:
            found.append([descriptor, len(os.read(descriptor, 10))])
        except OSError as error:
            if error.errno != 9: found.append([descriptor, error.errno])
    return found
"""
    assert await subject.value(source) == []


ENDINGS = {
    "os._exit(0)": ("os._exit(0)", {Status.CRASHED}),
    "os._exit(1)": ("os._exit(1)", {Status.CRASHED}),
    "os._exit as out of memory": ("os._exit(70)", {Status.MEMORY}),
    "os._exit as out of room": ("os._exit(71)", {Status.OUTPUT_LIMIT}),
    "raw exit": ("call(EXIT, 0)", {Status.CRASHED, Status.EXCEPTION}),
    "sys.exit": ("sys.exit(0)", {Status.EXCEPTION}),
    "abort": ("os.abort()", {Status.CRASHED}),
    "segmentation fault": ("ctypes.string_at(1)", {Status.CRASHED}),
    "bad code object": (
        "f.__code__ = f.__code__.replace(co_code=bytes([100, 255] * 50), co_consts=(), co_stacksize=1); f()",
        {Status.CRASHED, Status.EXCEPTION, Status.TIMEOUT},
    ),
    "stack of C": (
        "x = []\n    for _ in range(10 ** 6): x = [x]\n    sys.setrecursionlimit(10 ** 9)\n    repr(x)",
        {Status.CRASHED, Status.EXCEPTION, Status.MEMORY, Status.TIMEOUT},
    ),
    "deep recursion": ("f()", {Status.EXCEPTION}),
    "deep recursion with the limit raised": (
        "sys.setrecursionlimit(10 ** 9)\n    f()",
        {Status.CRASHED, Status.MEMORY, Status.EXCEPTION, Status.TIMEOUT},
    ),
    "recursion swallowed": (
        "while True:\n        try: f()\n        except RecursionError: pass",
        {Status.TIMEOUT, Status.CRASHED},
    ),
    "loop": ("while True: pass", {Status.TIMEOUT}),
    "loop that swallows all": (
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass",
        {Status.TIMEOUT},
    ),
    "loop in C": ("sum(range(10 ** 12))", {Status.TIMEOUT}),
    "huge power": ("10 ** 10 ** 9", {Status.TIMEOUT, Status.MEMORY}),
    "huge shift": ("1 << (1 << 40)", {Status.MEMORY}),
    "backtracking": ("import re; re.match('(a+)+$', 'a' * 60 + 'b')", {Status.TIMEOUT}),
    "huge factorial": ("import math; math.factorial(10 ** 7)", {Status.TIMEOUT}),
    "endless iterator": ("list(iter(int, 1))", {Status.MEMORY, Status.TIMEOUT}),
    "wait for ever": ("import queue; queue.Queue().get()", {Status.TIMEOUT}),
    "wait for input": ("import sys; sys.stdin.readline(); return 1", {Status.VALUE}),
    "list bomb": ("x = [0] * 10 ** 9", {Status.MEMORY}),
    "string bomb": ("x = 'x' * 10 ** 10", {Status.MEMORY}),
    "doubling": ("x = 'x'\n    while True: x += x", {Status.MEMORY, Status.TIMEOUT}),
    "map bomb": ("x = [mmap.mmap(-1, 10 ** 8) for _ in range(99)]", {Status.EXCEPTION, Status.MEMORY}),
    # A machine that has much else to do may need the whole time for them.
    "many small": ("x = []\n    while True: x.append(bytes(1000))", {Status.MEMORY, Status.TIMEOUT}),
    "zip bomb": (
        "import zlib\n    x = zlib.compress(bytes(10 ** 7))\n    y = [zlib.decompress(x) for _ in range(99)]",
        {Status.MEMORY, Status.TIMEOUT},
    ),
    "memory error swallowed": (
        "while True:\n        try: x = 'x' * 10 ** 10\n        except MemoryError: pass",
        {Status.TIMEOUT},
    ),
    "memory kept full": (
        "global kept\n    kept = []\n    try:\n        while True: kept.append(bytes(10 ** 5))\n"
        "    except MemoryError: pass\n    try:\n        while True: kept.append(bytes(10))\n"
        "    except MemoryError: pass\n    return 1",
        {Status.MEMORY, Status.VALUE, Status.CRASHED, Status.TIMEOUT},
    ),
    "slow destructor": (
        "class D:\n        def __del__(self):\n            while True: pass\n    d = D(); d.me = d; return 1",
        {Status.VALUE, Status.TIMEOUT},
    ),
    "at exit": ("sys.modules['atexit'].register(lambda: [None for _ in iter(int, 1)]); return 1", {Status.VALUE}),
    "trace": ("sys.settrace(lambda *a: 1 / 0); return 1", {Status.VALUE, Status.EXCEPTION, Status.CRASHED}),
    "metaclass": (
        "class M(type):\n        def __call__(cls):\n            while True: pass\n"
        "    class C(metaclass=M): pass\n    C()",
        {Status.TIMEOUT},
    ),
}


@pytest.mark.parametrize("name", ENDINGS)
async def test_every_end_is_within_the_limits_and_named(subject: Subject, name: str) -> None:
    body, expected = ENDINGS[name]
    outcome = await refusal(subject, body.replace("EXIT", "93" if platform.machine() == "aarch64" else "60"))
    assert outcome.status in expected, outcome


async def test_calls_before_the_end_keep_their_values(subject: Subject) -> None:
    source = f"{REACH}\ndef f(x):\n    if x == 2: os._exit(0)\n    return x"
    execution = await subject.execute(source, (0,), (1,), (2,), (3,))
    assert [o.status.value for o in execution.outcomes] == ["value", "value", "crashed", "crashed"]
    assert not execution.outcomes[2].loading


# The channel of the running child, found where a program can find it.
CHANNEL = f"""
{REACH}
frame = sys._getframe()
while 'channel' not in frame.f_locals: frame = frame.f_back
channel = frame.f_locals['channel']
area, protocol = channel._area, sys.modules['app.sandboxes.forkserver.protocol']
"""
FORGERIES = {
    "a value more": "channel.send(0, '1')\ndef f(x): return x",
    "a value before loading": "channel.send(0, '1'); os._exit(0)\ndef f(x): return x",
    "all values and a crash": "channel.send(5); [channel.send(0, '1') for _ in range(3)]; os._exit(9)",
    "values and a loop": "channel.send(5); [channel.send(0, '1') for _ in range(3)]\nwhile True: pass",
    "no value": "def f(x): os._exit(0)",
    "too few": "def f(x):\n    os._exit(0) if x == 3 else None\n    return x",
    "half a frame": "channel.send(5); channel.send(0, '1'); protocol.USED.pack_into(area, 0, 9); os._exit(0)",
    "garbage": "area[:] = bytes(range(256)) * (len(area) // 256) + bytes(len(area) % 256); os._exit(0)",
    "ones": "area[:] = b'\\xff' * len(area); os._exit(0)",
    "an unknown kind": "channel.send(5); channel.send(77, '1'); os._exit(0)",
    "no JSON": "channel.send(5); channel.send(0, '[1'); os._exit(0)",
    "code for a value": "channel.send(5); channel.send(0, '__import__(1)'); os._exit(0)",
    "a verdict": "channel.send(5); channel.send(0, '{\"passed\":true}'); os._exit(0)",
    "deep JSON": "channel.send(5); channel.send(0, '[' * 100000); os._exit(0)",
    "deep tuples": "channel.send(5); channel.send(0, '{\"t\":[' * 400 + ']}' * 400); os._exit(0)",
    "an exception of numbers": "channel.send(5); channel.send(1, '[1, 2]'); os._exit(0)",
    "loaded twice": "channel.send(5); channel.send(5)\ndef f(x): return x",
}


@pytest.mark.parametrize("code", FORGERIES.values(), ids=FORGERIES)
async def test_forged_frames_make_no_full_set_of_values(subject: Subject, code: str) -> None:
    execution = await subject.execute(CHANNEL + code, (1,), (2,), (3,), limits=QUICK)
    assert len(execution.outcomes) == 3
    assert any(outcome.status is not Status.VALUE for outcome in execution.outcomes), execution
    await subject.assert_calm()


async def test_patched_codec_fools_nobody(subject: Subject) -> None:
    source = """
import sys, json
sys.modules['app.domain.values.codec'].dumps = lambda value, depth=0: '{"evil":1}'
sys.modules['app.sandboxes.forkserver.child'].dumps = lambda value, depth=0: '{"evil":1}'
def f(): return 1
"""
    assert (await subject.outcome(source)).status is Status.CRASHED
    await subject.assert_calm()


SEARCH = f"""
{REACH}
def advise(page, advice):
    try: return call(28 if MACHINE == 'x86_64' else 233, page << 12, 4096, advice) == 0
    except OSError: return False
# Populate for reading (Linux 5.14) fails where a read would, as behind the end of a mapped file; 0 has no effect.
advice = 22 if advise(id(gc) >> 12, 22) else 0
def is_mapped(page): return advise(page, advice)
def regions():
    seen = set()
    for thing in gc.get_objects():
        if (page := id(thing) >> 12) in seen: continue
        first = last = page
        while is_mapped(first - 1): first -= 1
        while is_mapped(last + 1): last += 1
        seen.update(range(first, last + 1))
        yield ctypes.string_at(first << 12, (last - first + 1) << 12)
def f(*parts):
    head, *rest = (part.encode() for part in parts)
    count = 0
    for region in regions():
        place = region.find(head)
        while place >= 0:
            at = place + len(head)
            for part in rest:
                if region[at:at + len(part)] != part: break
                at += len(part)
            else: count += 1
            place = region.find(head, place + 1)
    return count
"""


async def test_nothing_of_another_program_is_left_in_memory(subject: Subject) -> None:
    """What made the gold values ran in a fork of this very interpreter: its source, arguments and values are gone."""
    parts = ("the-answer-", "is-", "forty-two")
    search = SEARCH.replace("MACHINE", repr(platform.machine()))
    holding = search.replace("def f(", "held = ''.join(['the-answer-', 'is-', 'forty-two'])\ndef f(")
    assert await subject.value(holding, *parts) > 0
    secret = "".join(parts)
    for _ in range(3):
        assert await subject.value(f"SECRET = {secret!r}\ndef f(x): return [SECRET, x]", secret) == [secret, secret]
        assert await subject.value(search, *parts) == 0
