"""Libraries that the settings name: imported whole, in interpreters of their own, with nothing left to chance."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from app.domain.ports import Call, Outcome, Program, Status
from app.errors import LibraryMissing
from app.sandboxes.forkserver import ForkServerSandbox
from app.sandboxes.forkserver.libraries import wanted

# What no import of the package itself loads, in each way that such an import is written.
PACKAGE = {
    "__init__.py": """
import random
own = random.Random()
def draw(): return own.random()
def late():
    from . import hidden
    return hidden.VALUE
def later():
    from madeup.inner.deep import VALUE
    return VALUE
def __getattr__(name):
    if name == 'lazy':
        import madeup.lazy as lazy
        return lazy
    raise AttributeError(name)
def absent():
    import madeup.broken
class Number(int): pass
""",
    "hidden.py": "VALUE = 'hidden'",
    "lazy.py": "def further():\n    from .inner import last\n    return last.VALUE",
    "broken.py": "import no_such_library",
    "inner/__init__.py": "",
    "inner/deep.py": "VALUE = 'deep'",
    "inner/last.py": "VALUE = 'last'",
    "inner/unused.py": "VALUE = 'unused'",
    "tests/__init__.py": "",
}


@pytest.fixture
def madeup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in PACKAGE.items():
        path = tmp_path / "madeup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


async def outcome(sandbox: ForkServerSandbox, source: str, replica: int = 0) -> Outcome:
    return (await sandbox.run(Program(source, (Call("f", ()),)), replica=replica)).outcomes[0]


def using(body: str, library: str = "madeup") -> str:
    return f"import {library}\ndef f():\n    return {body}"


@pytest.mark.usefixtures("madeup")
async def test_all_that_a_library_imports_later_is_there() -> None:
    async with ForkServerSandbox.open(libraries=["madeup"]) as sandbox:
        uses = {"late()": "hidden", "later()": "deep", "lazy.further()": "last"}
        for use, expected in uses.items():
            assert (await outcome(sandbox, using(f"madeup.{use}"))).value == expected
        for name in ("madeup.inner.unused", "madeup.tests"):
            assert (await outcome(sandbox, f"import {name}\ndef f(): pass")).error == "ModuleNotFoundError"
        assert (await outcome(sandbox, using("madeup.absent()"))).error == "ModuleNotFoundError"
        assert (await outcome(sandbox, using("madeup.Number(1)"))).status is Status.UNSUPPORTED


@pytest.mark.usefixtures("madeup")
async def test_generators_of_a_library_start_alike_in_every_run() -> None:
    draws = []
    for _ in range(2):
        async with ForkServerSandbox.open(libraries=["madeup"]) as sandbox:
            draws += [(await outcome(sandbox, using("madeup.draw()"), replica)).value for replica in (0, 0, 1)]
    assert draws[0] == draws[1] == draws[3] == draws[4]
    assert draws[2] == draws[5] != draws[0]


def interpreters() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.mark.usefixtures("madeup")
async def test_ordinary_programs_keep_their_small_interpreters() -> None:
    held = "import sys\ndef f(): return 'madeup' in sys.modules"
    async with ForkServerSandbox.open(libraries=["madeup"]) as sandbox:
        before = interpreters()
        for source in (held, f"# not madeup at all\n{held}"):
            assert (await outcome(sandbox, source)).value is False
        assert interpreters() == before, "one with the library was started for nothing"
        assert (await outcome(sandbox, f"import madeup\n{held}")).value is True
        assert interpreters() > before
        hidden = "import sys\ndef f(): return sys.modules['builtins'].__import__('made' + 'up')"
        assert (await outcome(sandbox, hidden)).error == "ModuleNotFoundError"
    async with ForkServerSandbox.open() as sandbox:
        assert (await outcome(sandbox, using("1"))).error == "ModuleNotFoundError"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import madeup", True),
        ("import json, madeup.inner as m", True),
        ("def f():\n    from madeup import x", True),
        ("from madeup.inner import y", True),
        ("exec('import madeup')", True),
        ("__import__('madeup')", True),
        ("import builtins\nbuiltins.exec('import madeup')", True),
        ("import madeup(", True),
        ("import madeup\nx = " + "(" * 5_000, True),
        ("import madeup\0", True),
        ("#" * 300_000 + "madeup", True),
        ("from . import madeup", False),
        ("import madeups", False),
        ("'like madeup'", False),
        ("def madeup(): pass", False),
        ("import json", False),
        ("(" * 100_000, False),
    ],
)
def test_what_a_program_imports_is_read_from_its_text(source: str, expected: bool) -> None:
    assert wanted(source, ["other", "madeup"]) is expected
    assert not wanted(source, [])


async def test_a_missing_library_is_named_with_the_remedy() -> None:
    with pytest.raises(LibraryMissing, match="no_such_library") as caught:
        async with ForkServerSandbox.open(libraries=["json", "no_such_library"]):
            pass
    assert "CAIRN_SANDBOX_LIBRARIES" in caught.value.remedy


NUMPY = {
    "numpy.arange(6).reshape(2, 3).sum().item()": 15,
    "numpy.ones((300, 300)).dot(numpy.ones((300, 300))).sum().item()": 27_000_000.0,
    "numpy.linalg.svd(numpy.ones((200, 200)))[1][0].item().__round__()": 200,
    "numpy.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).tolist()": [1.0, 0.5],
    "numpy.unique([2, 1, 1]).tolist()": [1, 2],
    "numpy.ma.array([1, 2], mask=[0, 1]).sum().item()": 1,
    "numpy.polynomial.Polynomial([1, 2])(3).item()": 7.0,
    "numpy.fft.fft([1, 0]).tolist()": [1 + 0j, 1 + 0j],
    "repr(numpy.array([1.5, 2]))": "array([1.5, 2. ])",
    "numpy.random.default_rng(3).integers(10, size=3).tolist()": [8, 0, 1],
    "numpy.float64(0.1) == 0.1 and 'plain' or 'not'": "plain",
}
needs_numpy = pytest.mark.skipif(not importlib.util.find_spec("numpy"), reason="numpy is not installed")
needs_sympy = pytest.mark.skipif(not importlib.util.find_spec("sympy"), reason="sympy is not installed")


@pytest.fixture
async def with_numpy() -> AsyncIterator[ForkServerSandbox]:
    async with ForkServerSandbox.open(libraries=["numpy"]) as sandbox:
        yield sandbox


@needs_numpy
async def test_numpy_works_inside(with_numpy: ForkServerSandbox) -> None:
    for body, expected in NUMPY.items():
        outcomes = [await outcome(with_numpy, using(body, "numpy"), replica) for replica in (0, 1)]
        assert outcomes[0].value == expected, (body, outcomes[0])
        assert outcomes[0] == outcomes[1]


@needs_numpy
async def test_numpy_has_no_chance_of_its_own(with_numpy: ForkServerSandbox) -> None:
    drawing = using("numpy.random.rand()", "numpy")
    first, again, other = [await outcome(with_numpy, drawing, replica) for replica in (0, 0, 1)]
    assert first.status is Status.VALUE
    assert first == again != other
    for body in ("default_rng().random()", "RandomState().rand()", "seed()", "SeedSequence().entropy"):
        assert (await outcome(with_numpy, using(f"numpy.random.{body}", "numpy"))).status is Status.EXCEPTION, body


@needs_numpy
async def test_values_of_numpy_are_no_plain_ones_and_the_message_helps(with_numpy: ForkServerSandbox) -> None:
    for body in ("int64(1)", "float64(1)", "bool_(1)", "array([1])", "str_('x')", "arange(2)[0]"):
        found = await outcome(with_numpy, using(f"[numpy.{body}]", "numpy"))
        assert found.status is Status.UNSUPPORTED, body
        assert ".tolist()" in found.detail


@needs_sympy
async def test_sympy_works_inside() -> None:
    uses = {
        "str(sympy.integrate(x * sympy.exp(x), x))": "(x - 1)*exp(x)",
        "str(sympy.dsolve(sympy.Function('y')(x).diff(x) - 1))": "Eq(y(x), C1 + x)",
        "int(sympy.factorial(10))": 3_628_800,
        "[int(p) for p in sympy.factorint(1001)]": [7, 11, 13],
        "str(sympy.solveset(x ** 2 - 4, x))": "{-2, 2}",
    }
    async with ForkServerSandbox.open(libraries=["sympy"]) as sandbox:
        for body, expected in uses.items():
            source = f"import sympy\nx = sympy.Symbol('x')\ndef f():\n    return {body}"
            outcomes = [await outcome(sandbox, source, replica) for replica in (0, 1)]
            assert outcomes[0].value == expected, (body, outcomes[0])
            assert outcomes[0] == outcomes[1]
        found = await outcome(sandbox, using("sympy.Integer(3)", "sympy"))
        assert (found.status, "int()" in found.detail) == (Status.UNSUPPORTED, True)
