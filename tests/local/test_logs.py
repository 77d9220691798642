from __future__ import annotations

from pathlib import Path

from app.local import logs


def test_a_log_that_grew_too_large_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = logs.fresh(tmp_path, "web")
    with log.open("ab", buffering=0) as writer:
        writer.write(b"0123456789\n")
        logs.cut_back(log, largest=10)
        writer.write(b"next\n")
    assert log.read_text() == "next\n"
    assert log.with_name("web.log.1").read_text() == "0123456789\n"


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = logs.fresh(tmp_path, "web")
    log.write_text("line\n")
    logs.cut_back(log)
    assert log.read_text() == "line\n"


def test_tail_shows_the_last_lines_of_any_bytes(tmp_path: Path) -> None:
    log = logs.fresh(tmp_path, "web")
    log.write_bytes(b"\xff\n" + b"\n".join(b"%d" % number for number in range(100)))
    assert logs.tail(log).splitlines()[-1] == "    99"
    assert len(logs.tail(log).splitlines()) == 12
