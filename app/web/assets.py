"""Static files under addresses that carry a hash of their content, so that browsers may keep them for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
_PACKED = frozenset({".css", ".js", ".svg"})


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it was at `changed` (nanoseconds). `packed` is its content in gzip, empty where that is no use."""

    changed: int
    version: str
    packed: bytes


class Assets:
    """Addresses of the files in one folder. A changed file gets a new address, also while the server runs."""

    def __init__(self, folder: Path = STATIC, prefix: str = "/static") -> None:
        self.folder = folder
        self.prefix = prefix
        self._known: dict[str, Asset] = {}

    def __call__(self, name: str) -> str:
        return f"{self.prefix}/{name}?v={self.find(name).version}"

    def find(self, name: str) -> Asset:
        """The file as it is now; its version is ten hexadecimal digits of SHA-256. Raises FileNotFoundError."""
        path = self.folder / name
        changed = path.stat().st_mtime_ns
        known = self._known.get(name)
        if known is None or known.changed != changed:
            content = path.read_bytes()
            packed = gzip.compress(content, mtime=0) if path.suffix in _PACKED else b""
            known = self._known[name] = Asset(changed, hashlib.sha256(content).hexdigest()[:10], packed)
        return known

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
        if response.status_code not in (200, 304):
            return response
        asset = self.assets.find(path)
        if response.status_code == 200 and asset.packed and _takes_gzip(scope):
            kept = {name: response.headers[name] for name in ("content-type", "etag", "last-modified")}
            response = Response(asset.packed, headers=kept | {"Content-Encoding": "gzip"})
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("v", [""])[0]
        current = asked == asset.version
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
        response.headers["Vary"] = "Accept-Encoding"
        return response


def _takes_gzip(scope: Scope) -> bool:
    return "gzip" in Headers(scope=scope).get("accept-encoding", "")
