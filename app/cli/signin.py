"""`cairn signin`: a fresh one-time link."""

from __future__ import annotations

import asyncio

import typer

from app.cli import context
from app.db import unit_of_work
from app.domain.actor import Actor
from app.errors import Conflict
from app.features.accounts.service import create_sign_in_link
from app.local.folder import Serving


def command() -> None:
    """Print a new one-time sign-in link for the local owner of the Cairn that runs here."""

    async def work(serving: Serving, actor: Actor) -> str:
        if not serving.web_url:
            raise Conflict("Cairn does not run on this folder.", remedy="Start it with `cairn up`.")
        return await asyncio.to_thread(sign_in_url, serving, actor)

    typer.echo(context.with_databases(work))


def sign_in_url(serving: Serving, actor: Actor) -> str:
    with unit_of_work() as session:
        return f"{serving.web_url}/signin/{create_sign_in_link(session, actor)}"
