"""htmx for the pages, and for the tests axe and, where the machine has no Chromium, a Chromium from npm."""

from __future__ import annotations

import shutil

from toolbox import HOME, ROOT, Toolbox

# One file: in separate deferred scripts htmx can start before its extension is there.
BUNDLE = ROOT / "app" / "web" / "static" / "vendor" / "htmx.js"
PARTS = ("htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-sse.min.js")

SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
BROWSER = HOME / "chromium"  # tests/support/chromium.py starts it from here

FONTS = f"""\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{BROWSER}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{BROWSER}/cache</cachedir>
</fontconfig>
"""


def install(tools: Toolbox, *, with_tests: bool) -> None:
    browser = with_tests and not any(map(shutil.which, SYSTEM_BROWSERS))
    print("Installing front-end packages into node_modules", flush=True)
    omitted = [*([] if with_tests else ["--omit=dev"]), *([] if browser else ["--omit=optional"])]
    tools.npm("ci", "--no-audit", "--no-fund", "--loglevel=error", *omitted)
    if browser:
        unpack_browser(tools)
    BUNDLE.parent.mkdir(parents=True, exist_ok=True)
    BUNDLE.write_text(";\n".join((ROOT / "node_modules" / part).read_text() for part in PARTS))


def unpack_browser(tools: Toolbox) -> None:
    """The npm package holds a compressed Chromium, with libraries and fonts for machines that have none."""
    shutil.rmtree(BROWSER, ignore_errors=True)
    BROWSER.mkdir()
    tools.node("tools/unpack-chromium.mjs", TMPDIR=str(BROWSER))
    (BROWSER / "fonts.conf").write_text(FONTS)


def write_lock(tools: Toolbox) -> None:
    tools.npm("install", "--package-lock-only", "--no-audit", "--no-fund")
