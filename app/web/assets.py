"""Static files under addresses that carry a hash of their content, so that browsers may keep them for good."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"


class Assets:
    """Addresses of the files in one folder. A changed file gets a new address, also while the server runs."""

    def __init__(self, folder: Path = STATIC, prefix: str = "/static") -> None:
        self.folder = folder
        self.prefix = prefix
        self._hashes: dict[str, tuple[int, str]] = {}

    def version(self, name: str) -> str:
        """Ten hexadecimal digits of the content's SHA-256. Raises FileNotFoundError."""
        path = self.folder / name
        changed = path.stat().st_mtime_ns
        known = self._hashes.get(name)
        if known is None or known[0] != changed:
            known = self._hashes[name] = changed, hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        return known[1]

    def __call__(self, name: str) -> str:
        return f"{self.prefix}/{name}?v={self.version(name)}"

    def app(self) -> AssetFiles:
        """The ASGI application to mount at `prefix`."""
        return AssetFiles(self)


class AssetFiles(StaticFiles):
    """Serves the files; one asked for by its present hash may be kept for a year, any other is asked for again."""

    def __init__(self, assets: Assets) -> None:
        super().__init__(directory=assets.folder)
        self.assets = assets

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("v", [""])[0]
        if response.status_code in (200, 304):
            current = asked == self.assets.version(path)
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
        return response
