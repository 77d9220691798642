"""A machine that is set up for pip needs no second set-up for uv."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def from_pip(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.delitem(sys.modules, "toolbox", raising=False)
    from toolbox import from_pip

    return from_pip


def test_indexes_links_and_certificates_are_passed_on(from_pip) -> None:
    listed = """\
global.cert='/etc/ssl/ours.pem'
global.extra-index-url='file:///one file:///two'
global.find-links='/wheels /more'
global.index-url='https://mirror.example/simple'
global.timeout='30'
"""
    assert from_pip(listed) == {
        "SSL_CERT_FILE": "/etc/ssl/ours.pem",
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX": "file:///one file:///two",
    }


def test_the_environment_comes_before_the_files(from_pip) -> None:
    listed = ":env:.index-url='https://near.example'\nglobal.index-url='https://far.example'\n"
    assert from_pip(listed) == {"UV_DEFAULT_INDEX": "https://near.example"}
