"""One path of one server: requests to it, their faults, and its circuit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from pydantic_core import to_json

from app.engines._openai import reach
from app.engines._openai.circuit import Circuit
from app.engines._openai.options import Served
from app.engines._openai.refusals import excerpt, refusal
from app.errors import EngineError

# A body larger than what it should hold could make it is a server gone wrong, and must not fill our memory.
_BYTES_BESIDE = 1 << 20
_LARGEST_BODY = 256 << 20
_CHUNK = 1 << 16
_CONNECT_S = 10.0
_PROBE = aiohttp.ClientTimeout(total=20.0, connect=_CONNECT_S)
# Most servers close a connection that is idle for 5 s (uvicorn's default): a request sent at that moment would be lost.
_KEEP_ALIVE_S = 4.0


class Endpoint:
    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        path: str,
        options: Served,
        *,
        places: int,
        probe: Mapping[str, object],
    ) -> None:
        """`path` is where requests go, below `url`; `places` so many at once. `probe` is the body of a small one.

        Raises EngineError for a key that no header can carry.
        """
        self.http = http
        self.url = url
        self.root = url.removesuffix("/v1")
        self.key = options.api_key
        self._path = path
        self._options = options
        self._headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        self._places = asyncio.Semaphore(places)
        self._probe = probe
        self.circuit = Circuit(url, self._answers)

    async def post(self, body: Mapping[str, object], most: int) -> bytes:
        """The body of a 200, of `most` bytes and some. Raises EngineError for all else.

        Also for a redirect, which would take the key along.
        """
        url = f"{self.url}/{self._path}"
        await self.circuit.passage()
        try:
            async with (
                self._places,
                self.http.post(url, json=body, headers=self._headers, allow_redirects=False) as response,
            ):
                content = await bounded(response, most)
                self.circuit.answered()
                if response.status == 200:
                    return content
                raise refusal(
                    response.status,
                    content,
                    key_variable=self._options.api_key_variable,
                    secret=self.key,
                    retry_after=response.headers.get("Retry-After", ""),
                )
        except aiohttp.ConnectionTimeoutError as error:
            self.circuit.failed()
            raise _unreachable(url, f"no connection within {_CONNECT_S:g} s") from error
        except aiohttp.ClientConnectorError as error:
            self.circuit.failed()
            ours = isinstance(error.os_error, PermissionError)  # see reach.py: asking again changes nothing
            raise _unreachable(url, error.os_error.strerror or str(error.os_error), retryable=not ours) from error
        except TimeoutError as error:
            raise EngineError(
                "stalled",
                f"No whole answer from {url} within {self._options.timeout_s:g} s.",
                retryable=True,
                remedy="Check the server's load; resume when it answers, or start anew with a longer timeout_s.",
            ) from error
        except aiohttp.ClientError as error:
            self.circuit.failed()
            raise EngineError(
                "disconnected",
                f"The connection to {url} broke: {excerpt(str(error).encode(), self.key)}",
                retryable=True,
                remedy="See the server's log; resume when it answers again.",
            ) from error

    async def _answers(self) -> bool:
        """Whether the server is healthy, where it can tell, and does something small: a paused vLLM is healthy too."""
        try:
            async with self.http.get(f"{self.root}/health", timeout=_PROBE, allow_redirects=False) as health:
                if health.status >= 500:
                    return False
            async with self.http.post(
                f"{self.url}/{self._path}",
                json=self._probe,
                headers=self._headers,
                timeout=_PROBE,
                allow_redirects=False,
            ) as reply:
                # Whatever else is wrong with it, a request says better.
                return reply.status < 500 and reply.status not in (408, 429)
        except (aiohttp.ClientError, TimeoutError):
            return False


def _unreachable(url: str, why: str, *, retryable: bool = True) -> EngineError:
    return EngineError(
        "unreachable",
        f"{url} can't be reached: {why}.",
        retryable=retryable,
        remedy="Start the model server and resume; or start anew with the right base_url.",
    )


async def bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body. Raises EngineError beyond `most` bytes and some."""
    most = min(_LARGEST_BODY, _BYTES_BESIDE + most)
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > most:
            raise EngineError("nonsense", f"The reply exceeds {most >> 20} MB.", retryable=True)
        chunks.append(chunk)
    return b"".join(chunks)


@asynccontextmanager
async def opened_http(options: Served) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=options.timeout_s, connect=_CONNECT_S)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, socket_factory=reach.open_socket)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, json_serialize_bytes=to_json) as http:
        yield http
