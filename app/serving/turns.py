"""Where workers ask for a model's turn: `GET /turns/NAME` is answered by a line a second, `wait` and then `go`.

The turn lasts as long as the connection: a worker that is killed gives it back by that alone. `yield` asks for it back
soon, since others have waited long; `down` says that there is no server to wait for, so that a run can tell of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from app.errors import Unavailable
from app.serving.switch import Switch

_EVERY_S = 1.0
# After which a turn that was asked back is taken back: longer than requests take.
_LONGEST_S = 1800.0
_BROWSERS = ("origin", "sec-fetch-site")  # headers that they send, and workers do not


@asynccontextmanager
async def turns(switches: Mapping[str, Switch], host: str, port: int) -> AsyncIterator[int]:
    """Serves for the length of the block, on the port that it gives. `switches` has one for each model's name."""

    async def turn(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        switch = switches.get(name)
        if switch is None:
            raise web.HTTPNotFound(text=f"No such model takes turns here; these do: {', '.join(switches)}.")
        if any(name in request.headers for name in _BROWSERS):
            raise web.HTTPForbidden(text="Turns are for workers, not for pages in a browser.")
        response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-store"})
        await response.prepare(request)
        wish = switch.ask(name)
        try:
            while not wish.granted.done() and switch.is_up(name):
                await response.write(b"wait\n")
                await asyncio.wait([wish.granted], timeout=_EVERY_S)
            await response.write(b"go\n" if wish.granted.done() else b"down\n")
            clock = asyncio.get_running_loop().time
            asked_back: float | None = None
            while wish.granted.done():
                await asyncio.sleep(_EVERY_S)
                contested = switch.is_contested(name)
                asked_back = (asked_back or clock()) if contested else None
                if asked_back and clock() - asked_back > _LONGEST_S:
                    break  # it does not listen; a worker asks for another turn
                await response.write(b"yield\n" if contested else b"go\n")
        except ConnectionError:
            pass  # it is gone
        finally:
            switch.leave(wish)
        return response

    app = web.Application()
    app.router.add_get("/turns/{name}", turn)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    except OSError as error:
        raise Unavailable(
            f"Port {port} on {host} can't be used: {error.strerror}.", remedy="Set turns_port."
        ) from error
    finally:
        await runner.cleanup()
