"""The settings decide which libraries programs may use; a machine that lacks one is found out at the start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.cli import doctor
from app.config import Settings, settings
from app.domain.ports import Call, Program
from app.errors import LibraryMissing
from app.isolation import open_sandbox, probe

pytestmark = pytest.mark.usefixtures("forget_settings")


@pytest.fixture
def forget_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


def put(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("CAIRN_SANDBOX_LIBRARIES", name)


async def test_programs_may_use_what_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "madeup", "def double(x): return 2 * x", monkeypatch)
    await probe()
    async with open_sandbox() as sandbox:
        program = Program("from madeup import double\ndef f(x): return double(x)", (Call("f", (21,)),))
        assert (await sandbox.run(program)).outcomes[0].value == 42


async def test_a_worker_finds_out_what_is_missing_or_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "no_such_library", "", monkeypatch)
    (tmp_path / "no_such_library.py").unlink()
    for opening in (probe(), open_sandbox().__aenter__()):
        with pytest.raises(LibraryMissing, match="no_such_library, yet that is not installed") as caught:
            await opening
        assert "CAIRN_SANDBOX_LIBRARIES" in caught.value.remedy
    settings.cache_clear()
    put(tmp_path, "brokenlib", "1 / 0", monkeypatch)
    with pytest.raises(LibraryMissing, match="ZeroDivisionError"):
        await probe()


def test_the_doctor_tells_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, ok in (("madeup", True), ("no_such_library", False)):
        put(tmp_path, name, "", monkeypatch)
        if not ok:
            (tmp_path / f"{name}.py").unlink()
        settings.cache_clear()
        checks = doctor._sandbox_checks()
        found = [check for check in checks if name in check.found]
        assert [check.ok for check in found] == [ok]
        assert ok or "CAIRN_SANDBOX_LIBRARIES" in found[0].remedy


@pytest.mark.parametrize("names", ["os", "numpy app", "numpy,sympy", "numpy.linalg", "../x", "sys"])
def test_what_is_no_library_for_programs_is_refused(names: str) -> None:
    with pytest.raises(ValidationError, match="sandbox_libraries"):
        Settings(sandbox_libraries=names)


def test_names_are_kept_in_one_order() -> None:
    assert Settings(sandbox_libraries=" sympy  numpy sympy ").sandbox_libraries == "numpy sympy"
