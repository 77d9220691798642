"""One path of one server: requests to it, their faults, and its circuit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic_core import to_json

from app.engines._openai.circuit import Circuit
from app.engines._openai.client import Client, Disconnected, Response, TooLarge
from app.engines._openai.dialling import Unreachable
from app.engines._openai.options import Served
from app.engines._openai.refusals import excerpt, refusal
from app.errors import EngineError

# A body larger than what it should hold could make it is a server gone wrong, and must not fill our memory.
_BYTES_BESIDE = 1 << 20
_LARGEST_BODY = 256 << 20
_PROBE_S = 20.0


class Endpoint:
    def __init__(
        self,
        client: Client,
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
        self.key = options.api_key
        self._client = client
        self._base = urlsplit(url).path
        self._path = f"{self._base}/{path}"
        self._address = f"{url}/{path}"
        self._options = options
        self._headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        self._places = asyncio.Semaphore(places)
        self._probe = to_json(probe)
        self.circuit = Circuit(url, self._answers)

    async def post(self, body: Mapping[str, object], most: int) -> bytes:
        """The body of a 200, of `most` bytes and some. Raises EngineError for all else.

        Also for a redirect, which would take the key along.
        """
        most = min(_LARGEST_BODY, _BYTES_BESIDE + most)
        await self.circuit.passage()
        try:
            async with self._places:
                response = await self._client.post(self._path, to_json(body), self._headers, most)
        except Unreachable as error:
            self.circuit.failed()
            raise EngineError(
                "unreachable",
                f"{self._address} can't be reached: {error}.",
                retryable=not error.final,
                remedy="Start the model server and resume; or start anew with the right base_url.",
            ) from error
        except TimeoutError as error:
            raise EngineError(
                "stalled",
                f"No whole answer from {self._address} within {self._options.timeout_s:g} s.",
                retryable=True,
                remedy="Check the server's load; resume when it answers, or start anew with a longer timeout_s.",
            ) from error
        except Disconnected as error:
            self.circuit.failed()
            raise EngineError(
                "disconnected",
                f"The connection to {self._address} broke: {excerpt(str(error).encode(), self.key)}",
                retryable=True,
                remedy="See the server's log; resume when it answers again.",
            ) from error
        except TooLarge as error:
            raise EngineError(
                "nonsense",
                f"The reply of {self._address} exceeds {most >> 20} MB.",
                retryable=True,
                remedy="Check what answers there; a lower max_tokens makes shorter replies.",
            ) from error
        self.circuit.answered()
        if response.status == 200:
            return response.body
        raise refusal(
            response.status,
            response.body,
            key_variable=self._options.api_key_variable,
            secret=self.key,
            retry_after=response.retry_after,
        )

    async def look(self, name: str, timeout_s: float) -> Response | None:
        """What the server tells under `name`, beside its API. None where it does not answer."""
        path = f"{self._base.removesuffix('/v1')}/{name}"
        try:
            return await self._client.get(path, _BYTES_BESIDE, timeout_s)
        except (Unreachable, Disconnected, TooLarge, TimeoutError):
            return None

    async def _answers(self) -> bool:
        """Whether the server is healthy, where it can tell, and does something small: a paused vLLM is healthy too."""
        health = await self.look("health", _PROBE_S)
        if health is None or health.status >= 500:
            return False
        try:
            reply = await self._client.post(self._path, self._probe, self._headers, _BYTES_BESIDE, _PROBE_S)
        except (Unreachable, Disconnected, TooLarge, TimeoutError):
            return False
        # Whatever else is wrong with it, a request says better.
        return reply.status < 500 and reply.status not in (408, 429)
