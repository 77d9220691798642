"""Whether a server can do its work, and the calls that put it to sleep and wake it."""

from __future__ import annotations

from dataclasses import dataclass, field

import aiohttp

from app.errors import Unavailable

_LOOK = aiohttp.ClientTimeout(total=20.0)
# Gigabytes move between the GPU's memory and the machine's, after what is under way has ended.
_MOVE = aiohttp.ClientTimeout(total=900.0)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server, as this machine reaches it."""

    http: aiohttp.ClientSession
    url: str  # without /v1
    model: str
    key: str = field(default="", repr=False)

    async def healthy(self) -> bool:
        try:
            async with self.http.get(f"{self.url}/health", timeout=_LOOK) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def works(self) -> bool:
        """Health, and one token: a server whose engine is paused is healthy too."""
        body = {"model": self.model, "prompt": "1", "max_tokens": 1, "seed": 0}
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if not await self.healthy():
            return False
        try:
            async with self.http.post(
                f"{self.url}/v1/completions", json=body, headers=headers, timeout=_LOOK
            ) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def sleep(self) -> None:
        """Weights move to the machine's memory. Requests under way end first. Raises Unavailable."""
        await self._post("sleep?level=1&mode=wait")

    async def wake(self) -> None:
        """Raises Unavailable."""
        await self._post("wake_up")

    async def _post(self, path: str) -> None:
        url = f"{self.url}/{path}"
        try:
            async with self.http.post(url, timeout=_MOVE) as answer:
                if answer.status == 200:
                    return
                told = (await answer.content.read(300)).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"{url} failed: {error or type(error).__name__}.") from error
        raise Unavailable(f"{url} answered {answer.status}: {told}.")
