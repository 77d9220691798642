"""Seeds from source files: folders, checkouts, zips, single files."""

from __future__ import annotations

import io
import stat
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import InvalidInput
from app.features.seeds.reading.licences import recognised
from app.models import Seed
from tests.features.seeds.conftest import Import

Kept = Callable[[], list[Seed]]
LINES = "".join(f"value_{number} = compute({number})\n" for number in range(120))
MIT = "MIT License\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy of this software"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "LICENSE.txt").write_text(MIT)
    (root / "pkg" / "long.py").write_text(LINES)
    (root / "pkg" / "gpl.py").write_text("# SPDX-License-Identifier: GPL-3.0-only\n" + LINES.replace("value", "other"))
    (root / "pkg" / "short.py").write_text("x = 1\n")
    return root


def test_snippets_are_drawn_and_say_where_they_stand(bring: Import, folder: Path, kept: Kept) -> None:
    report = bring(folder, snippets_per_file=2)
    assert (report.name, report.added) == ("project", 4)
    for seed in kept():
        name, _, lines = seed.source.removeprefix("project ").partition(" ")
        first, last = map(int, lines.split("-"))
        text = (folder / name).read_text().splitlines()
        assert seed.text == "\n".join(text[first - 1 : last])
        assert 25 <= last - first + 1 <= 50
        assert (seed.kind, seed.licence) == ("snippet", "MIT" if name == "pkg/long.py" else "GPL-3.0-only")


def test_the_same_random_seed_draws_the_same_snippets(bring: Import, folder: Path, kept: Kept) -> None:
    for _ in range(2):
        bring(folder, random_seed=3)
    bring(folder, random_seed=4)
    texts = [seed.text for seed in kept()]
    assert texts[:2] == texts[2:4] != texts[4:]


def test_solutions_are_taken_whole(bring: Import, folder: Path, kept: Kept) -> None:
    (folder / "broken.py").write_text("def f(:\n")
    report = bring(folder, kind="solution")
    assert sorted(seed.source for seed in kept()) == [f"project pkg/{name}.py" for name in ("gpl", "long", "short")]
    assert [item.where for item in report.rejected] == ["broken.py"]


def test_odd_files_are_passed_over_and_told(bring: Import, folder: Path, kept: Kept) -> None:
    (folder / "latin.py").write_bytes("naïve = 1\n".encode("latin-1") * 50)
    (folder / "binary.py").write_bytes(b"\x00" * 5_000)
    (folder / "huge.py").write_text("x = 1\n" * 400_000)
    (folder / "outside.py").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder)
    for hidden in (".git", "node_modules", "venv"):
        (folder / hidden).mkdir()
        (folder / hidden / "own.py").write_text(LINES)
    report = bring(folder)
    assert {seed.source.split()[1] for seed in kept()} == {"pkg/long.py", "pkg/gpl.py"}
    assert {item.where: item.message for item in report.rejected} == {
        "binary.py": "It is binary.",
        "huge.py": "It is larger than 1048576 bytes.",
        "latin.py": "It is not UTF-8.",
        "pkg/short.py": "It has no 25 lines of code in a row.",
    }


def test_a_checkout_gives_its_commit_to_every_seed(bring: Import, folder: Path, kept: Kept) -> None:
    def git(*arguments: str) -> str:
        own = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", *own, *arguments], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "First")
    commit = git("rev-parse", "HEAD")
    bring(folder)
    git("pack-refs", "--all")
    bring(folder)
    git("checkout", "-q", "--detach")
    bring(folder)
    git("worktree", "add", "-q", "-b", "side", str(folder.parent / "side"))
    bring(folder.parent / "side")
    origins = {seed.source.split()[0] for seed in kept()}
    assert origins == {f"project@{commit[:12]}", f"side@{commit[:12]}"}


def test_one_source_file_is_enough(bring: Import, folder: Path, kept: Kept) -> None:
    bring(folder / "pkg" / "long.py", licence="ISC")
    assert [(seed.source.split()[0], seed.licence) for seed in kept()] == [("long.py", "ISC")]


def test_another_language_is_found_by_its_suffixes(bring: Import, folder: Path, kept: Kept) -> None:
    (folder / "main.go").write_text("x := compute(1)\n" * 60)
    bring(folder, language="go")
    assert [seed.language for seed in kept()] == ["go"]
    with pytest.raises(InvalidInput) as caught:
        bring(folder, language="whitespace")
    assert caught.value.field == "language"


@pytest.mark.parametrize("path", ["nothing", "notes.docx"])
def test_what_is_no_source_of_seeds_is_refused(bring: Import, tmp_path: Path, path: str) -> None:
    (tmp_path / "notes.docx").write_bytes(b"PK")
    with pytest.raises(InvalidInput):
        bring(tmp_path / path)


def test_a_folder_without_code_is_refused(bring: Import, tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text("x = 1\n")
    with pytest.raises(InvalidInput, match=r"1 passed over, the first: short\.py"):
        bring(tmp_path)


# --- Archives ---------------------------------------------------------------------------------------------------


def zipped(path: Path, entries: dict[str | zipfile.ZipInfo, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_a_zip_is_read_in_place(bring: Import, tmp_path: Path, kept: Kept) -> None:
    path = zipped(tmp_path / "p.zip", {"p-1.0/LICENSE": MIT, "p-1.0/a.py": LINES, "p-1.0/.hidden/b.py": LINES})
    bring(path)
    (seed,) = kept()
    assert seed.source.startswith("p.zip p-1.0/a.py ")
    assert seed.licence == "MIT"


@pytest.mark.parametrize("name", ["../a.py", "/etc/a.py", "p/../../a.py", "C:/a.py", "..\\a.py"])
def test_an_entry_that_points_outside_is_refused(
    bring: Import, tmp_path: Path, nothing_is_left: Callable[[], bool], name: str
) -> None:
    with pytest.raises(InvalidInput, match="points outside"):
        bring(zipped(tmp_path / "p.zip", {"good.py": LINES, name: LINES}))
    assert nothing_is_left()


def test_a_link_in_an_archive_is_refused(bring: Import, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InvalidInput, match=r"link\.py' is a link"):
        bring(zipped(tmp_path / "p.zip", {"good.py": LINES, link: "/etc/passwd"}))


def test_a_bomb_does_not_go_off(bring: Import, tmp_path: Path, kept: Kept) -> None:
    path = zipped(tmp_path / "p.zip", {"good.py": LINES, "bomb.py": b"\x20" * (200 << 20)})
    report = bring(path)
    assert [item.where for item in report.rejected] == ["bomb.py"]
    assert len(kept()) == 1


def test_an_archive_with_too_many_entries_is_refused(bring: Import, tmp_path: Path) -> None:
    whole = zipped(tmp_path / "p.zip", {"a.py": LINES}).read_bytes()
    at, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    listing = whole[at:end] * 100_001  # the same entry again and again
    size = len(listing).to_bytes(4, "little")
    path = tmp_path / "many.zip"
    path.write_bytes(whole[:at] + listing + whole[end : end + 12] + size + whole[end + 16 :])
    with pytest.raises(InvalidInput, match="100000 is the most"):
        bring(path)


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "not"])
def test_a_damaged_archive_is_refused(bring: Import, tmp_path: Path, damage: str) -> None:
    path = zipped(tmp_path / "p.zip", {"a.py": LINES, "b.py": LINES[::-1]})
    whole = path.read_bytes()
    path.write_bytes(
        {"cut": whole[:-30], "noise": whole[:40] + b"\xff" * 60 + whole[100:], "empty": b"", "not": b"x"}[damage]
    )
    with pytest.raises(InvalidInput, match="can't be read as a zip"):
        bring(path)


def test_an_encrypted_archive_is_refused(bring: Import, tmp_path: Path) -> None:
    path = zipped(tmp_path / "p.zip", {"a.py": LINES})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="encrypted"):
        bring(path)


def test_nested_archives_stay_closed(bring: Import, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.py", LINES)
    with pytest.raises(InvalidInput, match="no seed in it"):
        bring(zipped(tmp_path / "p.zip", {"inner.zip": inner.getvalue()}))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (MIT, "MIT"),
        ("                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007", "GPL-3.0"),
        ("  GNU LESSER GENERAL PUBLIC LICENSE\n  Version 2.1, February 1999", "LGPL-2.1"),
        (
            "                                 Apache License\n                           Version 2.0, January 2004",
            "Apache-2.0",
        ),
        ("Redistribution and use in source and binary forms, with ... Neither the name of", "BSD-3-Clause"),
        ("Redistribution and use in source and binary forms, with or without modification", "BSD-2-Clause"),
        ("All rights reserved.", ""),
    ],
)
def test_licences_are_recognised(text: str, name: str) -> None:
    assert recognised(text) == name
