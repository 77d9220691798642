"""Which Chromium the tests drive: the one that CAIRN_TEST_BROWSER names, the machine's, or the one from npm."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

UNPACKED = Path(__file__).parents[2] / ".cairn" / "tools" / "chromium"  # see tools/frontend.py
ON_PATH = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def launch_options() -> dict[str, Any]:
    """For Playwright's `chromium.launch`. Raises LookupError with the remedy where there is no browser."""
    named = os.environ.get("CAIRN_TEST_BROWSER")
    if found := named or next(filter(None, map(shutil.which, ON_PATH)), None):
        return {"executable_path": found}
    if not (UNPACKED / "chromium").exists():
        raise LookupError(
            "No Chromium found. Run `make setup-test`, install Chromium, or set CAIRN_TEST_BROWSER to its path."
        )
    libraries = {"LD_LIBRARY_PATH": f"{UNPACKED}/al2023/lib", "FONTCONFIG_FILE": f"{UNPACKED}/fonts.conf"}
    return {"executable_path": UNPACKED / "chromium", "env": os.environ | libraries}
