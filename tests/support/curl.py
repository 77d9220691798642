"""Runs the `curl` commands of the documentation without curl: those options that it uses, and no others."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from httpx2 import Client, Response


def run(client: Client, command: str, folder: Path, token: str) -> Response:
    """The answer to a command; files that it names lie in `folder`."""
    words = shlex.split(command.replace("$CAIRN_TOKEN", token).replace("\\\n", " "))
    assert words.pop(0) == "curl"
    method, headers, body, form, files = "GET", {}, None, {}, {}
    address = ""
    options = iter(words)
    for word in options:
        if word == "-X":
            method = next(options)
        elif word == "-H":
            name, _, value = next(options).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(options)
        elif word == "-F":
            name, _, value = next(options).partition("=")
            if value.startswith("@"):
                files[name] = (value[1:], (folder / value[1:]).read_bytes())
            else:
                form[name] = value
        else:
            assert not word.startswith("-"), f"{word} is an option that this does not know"
            address = word
    parts = urlsplit(address)
    more: dict[str, Any] = {"content": body} if body is not None else {"data": form, "files": files} if files else {}
    return client.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers, **more)
