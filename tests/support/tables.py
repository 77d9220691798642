"""The tables of a page as rows of text, as a reader without CSS would have them."""

from __future__ import annotations

from html.parser import HTMLParser


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._open = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._rows = self.tables[dict(attributes).get("id") or ""] = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._open = True
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._open = False
            self._rows[-1][-1] = " ".join(self._rows[-1][-1].split())

    def handle_data(self, data: str) -> None:
        if self._open:
            self._rows[-1][-1] += data


def tables(page: str) -> dict[str, list[list[str]]]:
    """The rows of every table by its id; a cell's text has single spaces."""
    reader = _Tables()
    reader.feed(page)
    return reader.tables
