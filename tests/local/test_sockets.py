from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.errors import Unavailable
from app.local.sockets import socket_folder


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where sockets go first; short, as pytest's own folders are not."""
    with tempfile.TemporaryDirectory(prefix="c") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def test_is_private_and_the_same_for_the_same_data(parent: Path, tmp_path: Path) -> None:
    folder = socket_folder(tmp_path)
    assert folder.parent == parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert socket_folder(tmp_path) == folder
    assert socket_folder(tmp_path / "other") != folder


def test_shuts_out_others_from_a_folder_left_open(parent: Path, tmp_path: Path) -> None:
    socket_folder(tmp_path).chmod(0o777)
    assert socket_folder(tmp_path).stat().st_mode & 0o777 == 0o700


def test_does_not_follow_a_link_laid_by_somebody_else(parent: Path, tmp_path: Path) -> None:
    name = socket_folder(tmp_path).name
    (parent / name).rmdir()
    (parent / name).symlink_to(tmp_path)
    assert socket_folder(tmp_path).parent != parent


def test_a_path_too_long_for_the_kernel_is_passed_over(
    tmp_path: Path, parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = parent / ("long" * 20)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    folder = socket_folder(tmp_path)
    assert folder.parent != long
    folder.rmdir()


def test_says_what_to_do_where_nothing_will_serve(parent: Path, tmp_path: Path) -> None:
    name = socket_folder(tmp_path).name
    (parent / name).rmdir()
    with ExitStack() as traps:
        for folder in {parent, Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")}:
            (folder / name).touch()
            traps.callback((folder / name).unlink)
        with pytest.raises(Unavailable, match="TMPDIR"):
            socket_folder(tmp_path)
