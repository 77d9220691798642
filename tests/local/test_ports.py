from __future__ import annotations

import socket

import pytest

from app.errors import Unavailable
from app.local.ports import free_port


def test_gives_the_next_port_when_the_wanted_one_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert free_port(number) > number


def test_gives_the_wanted_port_when_it_is_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    assert free_port(number) == number


def test_an_address_of_another_machine_names_the_setting() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1.*CAIRN_HOST"):
        free_port(8000, "192.0.2.1")


def test_a_host_that_is_none_names_the_setting() -> None:
    with pytest.raises(Unavailable, match="CAIRN_HOST"):
        free_port(8000, "no such host")
