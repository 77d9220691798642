"""Accessibility rules, checked by axe in the page itself."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_SCRIPT = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """One line per rule broken on the page as it stands: its name, what it asks, and where."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_SCRIPT.read_text())  # not a script tag: the page's content policy would refuse it
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{rule['id']}: {rule['help']} at {', '.join(str(node['target']) for node in rule['nodes'])}" for rule in found
    ]
