"""Pages from templates: a whole page for a browser, one of its blocks for htmx."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.runtime import Macro
from jinja2_fragments import render_block
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.errors import AppError, InvalidForm
from app.web import csrf
from app.web.assets import Assets
from app.web.filters import FILTERS
from app.web.highlight import compare, highlight
from app.web.navigation import NavItem

TEMPLATES = Path(__file__).parents[2] / "templates"
THEMES = ("system", "light", "dark")
THEME_COOKIE = "cairn_theme"
FLASH_COOKIE = "cairn_flash"
_WORTH_PACKING = 1_000  # bytes


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking, as the header shows it. Routes put it at `request.state.viewer`."""

    name: str
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Flash:
    """A message shown once, on the next page. `kind` is `done` or `failed`."""

    text: str
    kind: str = "done"


class Here:
    """The address of this page; called, it gives it with some parameters of the query string changed.

    None removes a parameter. `here(sort="cost", page=None)` keeps the filters and goes back to the first page.
    """

    def __init__(self, path: str, query: str) -> None:
        self.path = path
        self.pairs = parse_qsl(query, keep_blank_values=True)

    def __call__(self, **changes: object) -> str:
        kept = [(name, value) for name, value in self.pairs if name not in changes]
        added = [(name, str(value)) for name, value in changes.items() if value is not None]
        return self.path + ("?" + urlencode(kept + added) if kept or added else "")

    def __str__(self) -> str:
        return self()

    def get(self, name: str, default: str = "") -> str:
        return dict(self.pairs).get(name, default)


@dataclass(frozen=True, slots=True)
class Shell:
    """What base.html needs beside the page's own context."""

    here: Here
    theme: str
    viewer: Viewer | None
    flashes: Sequence[Flash]
    request_id: str
    nav: Sequence[NavItem]

    def is_current(self, item: NavItem) -> bool:
        return self.here.path == item.href or self.here.path.startswith(item.href.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """The context of error/page.html: what happened, which field, what to do, and whether again may help."""

    status: int
    message: str
    field: str | None = None
    remedy: str = ""
    retryable: bool = False
    errors: Mapping[str, str] = dataclasses.field(default_factory=dict)

    template: ClassVar[str] = "error/page.html"

    @classmethod
    def of(cls, error: AppError) -> ErrorPage:
        many = error.errors if isinstance(error, InvalidForm) else {}
        return cls(error.status, error.message, error.field, error.remedy, error.retryable, many)


class Macros:
    """`ui` in every template: the macros of components/_*.html by name, also within a block rendered on its own."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._home: dict[str, str] = {}
        environment.globals["ui"] = self  # before the first of them is read: they call each other by it
        for name in environment.list_templates(filter_func=lambda name: name.startswith("components/_")):
            for macro, value in vars(environment.get_template(name).module).items():
                if isinstance(value, Macro):
                    if macro in self._home:
                        raise ValueError(f"two macros are called {macro!r}: in {self._home[macro]} and {name}")
                    self._home[macro] = name

    def __getattr__(self, name: str) -> Macro:
        if name not in self._home:
            raise AttributeError(name)
        macro: Macro = getattr(self._environment.get_template(self._home[name]).module, name)
        return macro

    def names(self) -> list[str]:
        return sorted(self._home)


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks for a part of a page (and not for the whole of it, as it does to restore its history)."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") != "full"


class Pages:
    """Renders the templates of the given folders, the first that holds a name."""

    def __init__(
        self,
        nav: Sequence[NavItem] = (),
        *,
        templates: Sequence[Path] = (TEMPLATES,),
        assets: Assets | None = None,
        reload: bool = False,
    ) -> None:
        self.nav = tuple(nav)
        self.assets = assets or Assets()
        self.environment = Environment(
            loader=FileSystemLoader(templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=reload,
        )
        self.environment.filters.update(FILTERS)
        self.environment.globals["asset"] = self.assets
        self.environment.globals["csrf_token"] = csrf.ShownToken()
        self.environment.globals["highlight"] = highlight
        self.environment.globals["compare"] = compare
        self.ui = Macros(self.environment)

    def render(
        self, request: Request, template: str, context: Any, *, block: str | None = None, status: int = 200
    ) -> HTMLResponse:
        """The page, or its block `block` where htmx asks for a part.

        `context` is a dataclass whose fields are the template's variables. Beside them a template sees `shell`,
        `here`, `asset` and `ui`.
        """
        fragment = block if block and wants_fragment(request) else None
        flashes = () if fragment else _read_flashes(request)
        shell = self._shell(request, flashes)
        variables = {"shell": shell, "here": shell.here} | _variables(context)
        with csrf.showing(request):
            if fragment:
                html = render_block(self.environment, template, fragment, variables)
            else:
                html = self.environment.get_template(template).render(variables)
        response = _packed(request, html, status)
        if flashes:
            response.delete_cookie(FLASH_COOKIE)
        return response

    def error(self, request: Request, error: AppError) -> HTMLResponse:
        """The error as a page, or in place where htmx asked."""
        page = ErrorPage.of(error)
        return self.render(request, page.template, page, block="problem", status=page.status)

    def _shell(self, request: Request, flashes: Sequence[Flash]) -> Shell:
        theme = request.cookies.get(THEME_COOKIE, "")
        return Shell(
            here=Here(request.url.path, request.url.query),
            theme=theme if theme in THEMES else "system",
            viewer=getattr(request.state, "viewer", None),
            flashes=flashes,
            request_id=getattr(request.state, "request_id", ""),
            nav=self.nav,
        )


def _packed(request: Request, html: str, status: int) -> HTMLResponse:
    """Compressed where the browser takes that and it is worth it: markup shrinks to a fifth or less."""
    headers = {"Vary": "HX-Request, HX-Request-Type, Cookie, Accept-Encoding"}
    body = html.encode()
    if len(body) > _WORTH_PACKING and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return HTMLResponse(body, status, headers=headers)


def redirect(href: str, *, flash: str = "", kind: str = "done") -> Response:
    """303 to a page of ours after a change, with a message to show there."""
    response = RedirectResponse(href, 303)
    if flash:
        text = base64.urlsafe_b64encode(json.dumps({"text": flash, "kind": kind}).encode()).decode()
        response.set_cookie(FLASH_COOKIE, text, max_age=60, httponly=True, samesite="lax")
    return response


def local_path(href: str, default: str = "/") -> str:
    """`href` where it is a path of this site, else `default`: for addresses that come back from a form."""
    return href if href.startswith("/") and href[1:2] not in ("/", "\\") and href.isprintable() else default


def _read_flashes(request: Request) -> tuple[Flash, ...]:
    try:
        flash = json.loads(base64.urlsafe_b64decode(request.cookies.get(FLASH_COOKIE, "")))
        text = str(flash["text"])[:500].encode("utf-8", "replace").decode("utf-8")
        return (Flash(text, "failed" if flash["kind"] == "failed" else "done"),)
    except (ValueError, KeyError, TypeError, RecursionError):  # no message, or a cookie that is not ours
        return ()


def _variables(context: Any) -> dict[str, Any]:
    return {f.name: getattr(context, f.name) for f in dataclasses.fields(context)}
