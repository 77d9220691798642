"""What holds for every page and every call: discovery, errors, limits, headers, forged changes."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from app import config, db
from app.main import create_app, find_api
from app.web.render import TEMPLATES
from app.web.security import HEADERS
from tests.support.browsing import Visitor

OPEN_TO_ALL = {
    "/api/v1/docs",
    "/api/v1/openapi.json",
    "/appearance",
    "/healthz",
    "/metrics",  # asks for a token of its own
    "/readyz",
    "/signin",
    "/signin/{token}",
    "/signout",
    "/",  # leads to the runs
}


def addresses(application: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of every route, of those included as well."""
    found: list[tuple[str, str]] = []

    def walk(routes: list[object], prefix: str) -> None:
        for route in routes:
            if isinstance(route, APIRoute):
                found.extend((method, prefix + route.path) for method in sorted(route.methods))
            elif hasattr(route, "original_router"):
                context = route.include_context
                walk(route.original_router.routes, prefix + context.prefix)

    walk(application.routes, "")
    return found


def test_every_route_asks_who_is_there(visitor: Visitor, application: FastAPI) -> None:
    checked = 0
    for method, path in addresses(application):
        if path in OPEN_TO_ALL:
            continue
        answer = visitor.request(method, re.sub(r"{[^}]+}", "1", path))
        if method == "GET" and not path.startswith("/api/"):
            assert answer.status_code == 303, (method, path)
            assert answer.headers["location"].startswith("/signin?next=")
        else:
            # A body or an address that is no use anyway may be refused before anybody is asked for.
            assert answer.status_code in (401, 404, 422), (method, path, answer.status_code)
        checked += 1
    assert checked > 20


def test_answers_carry_an_id_and_the_security_headers(visitor: Visitor) -> None:
    for path in ("/healthz", "/signin", "/nowhere", "/api/v1/nowhere", "/static/cairn.css"):
        answer = visitor.get(path)
        assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
        for name in HEADERS:
            assert name.lower() in answer.headers, (path, name)


def test_an_error_is_a_page_for_people_and_json_for_programs(page: Visitor) -> None:
    shown = page.get("/seeds/999")
    assert shown.status_code == 404
    assert shown.headers["x-request-id"] in shown.text
    told = page.get("/api/v1/seed-sets/999")
    assert told.json() == {
        "error": {
            "message": "There is no such seed set.",
            "field": None,
            "remedy": "",
            "request_id": told.headers["x-request-id"],
            "errors": {},
        }
    }
    part = page.get("/seeds/999", headers={"HX-Request": "true"})
    assert part.status_code == 404
    assert "<html" not in part.text


def test_a_crash_is_answered_with_an_id_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    application = create_app()
    visitor = Visitor(application)

    @application.get("/crash-for-a-test")
    def crash() -> None:
        raise ZeroDivisionError("the secret reason")

    answer = visitor.get("/crash-for-a-test")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert "secret reason" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    (record,) = [record for record in caplog.records if record.name == "app.web.requests"]
    assert record.exc_info
    assert answer.headers["x-request-id"] in record.getMessage()


def test_methods_that_are_not_there(visitor: Visitor) -> None:
    answer = visitor.delete("/signin")
    assert answer.status_code == 405
    assert "allow" in answer.headers


def test_readiness_names_what_is_away(visitor: Visitor) -> None:
    assert visitor.get("/healthz").text == "ok\n"
    assert visitor.get("/readyz").json() == {"database": "ok", "broker": "ok"}


# --- Limits -----------------------------------------------------------------------------------------------------


def test_a_body_that_announces_too_much_is_refused(page: Visitor) -> None:
    answer = page.post("/api/v1/seed-sets", content=b"{}", headers={"content-length": "9000000000"})
    assert answer.status_code == 413
    assert "8 MB at most" in answer.json()["error"]["message"]


def test_a_body_that_grows_too_large_is_refused_on_the_way(visitor: Visitor) -> None:
    sent = 0

    def endless() -> object:
        nonlocal sent
        while sent < 50_000_000:
            sent += 1_000_000
            yield b"x" * 1_000_000

    answer = visitor.post("/signin", content=endless(), headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["parts", "fields", "a huge field"])
def test_forms_of_a_thousand_and_one_parts_are_refused(visitor: Visitor, kind: str) -> None:
    if kind == "parts":
        answer = visitor.post("/signin", files=[(f"f{n}", ("a", b"")) for n in range(1_001)])
    elif kind == "fields":
        answer = visitor.post("/signin", data={f"f{n}": "" for n in range(1_001)})
    else:
        answer = visitor.post("/signin", data={"link": "x" * 2_000_000})
    assert answer.status_code == 413


def test_a_form_that_is_none_is_refused(visitor: Visitor) -> None:
    answer = visitor.post("/signin", content=b"--x", headers={"content-type": "multipart/form-data; boundary="})
    assert answer.status_code == 422


@pytest.mark.parametrize("charset", ["undefined", "unicode_escape", "utf-16"])
def test_a_form_in_another_encoding_is_refused(page: Visitor, charset: str) -> None:
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\ud800\r\n--x--\r\n'
    for path in ("/runs/new", "/curricula/new", "/signout"):
        assert page.post(path, content=body, headers={"content-type": kind}).status_code == 415


def test_what_strangers_send_to_pages_is_not_read(visitor: Visitor) -> None:
    nonsense = {"headers": {"content-type": "multipart/form-data"}, "content": b"no form"}
    assert visitor.request("GET", "/runs", **nonsense).status_code == 303
    assert visitor.request("POST", "/runs/new", **nonsense).status_code == 401
    assert visitor.request("GET", "/api/v1/runs", **nonsense).status_code == 401


async def test_a_form_that_breaks_off_is_no_crash(
    application: FastAPI, page: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "content-length": "1000",
        "cookie": "; ".join(f"{name}={value}" for name, value in page.cookies.items()),
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/runs/new",
        "raw_path": b"/runs/new",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("nobody", 1),
        "server": ("testserver", 80),
    }
    coming = [{"type": "http.request", "body": b"name=", "more_body": True}, {"type": "http.disconnect"}]
    answered: list[MutableMapping[str, object]] = []

    async def receive() -> MutableMapping[str, object]:
        return coming.pop(0)

    async def send(message: MutableMapping[str, object]) -> None:
        answered.append(message)

    await application(scope, receive, send)
    assert answered[0]["status"] == 422
    assert [record for record in caplog.records if record.name == "app.web.requests"] == []


RANGES = ("bytes=0-,0-,0-," * 1_000, "bytes=-9999999999999999999", "bytes=5-1", "lines=1-2", "bytes=" + "9" * 9_000)


@pytest.mark.parametrize("ranges", RANGES, ids=lambda ranges: ranges[:20])
def test_malicious_ranges_do_no_harm(visitor: Visitor, ranges: str) -> None:
    answer = visitor.get("/static/cairn.css", headers={"range": ranges})
    assert answer.status_code in (200, 206, 400, 413, 416, 422)
    assert len(answer.content) < 200_000


# --- Forged changes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_change_from_another_site_is_refused_even_with_the_token(page: Visitor, headers: dict[str, str]) -> None:
    assert page.submit("/settings/profile", {"name": "Mallory"}, headers=headers).status_code == 403
    assert "Mallory" not in page.get("/settings").text


@pytest.mark.parametrize("token", ["", "wrong", "ä", None])
def test_a_change_without_the_token_of_the_session_is_refused(page: Visitor, token: str | None) -> None:
    fields = {"name": "Mallory"} | ({} if token is None else {"csrf": token})
    assert page.post("/settings/profile", data=fields).status_code == 403
    assert page.post("/settings/profile", data=fields, headers={"x-csrf-token": "wrong"}).status_code == 403
    assert "Mallory" not in page.get("/settings").text


def test_the_token_is_taken_from_a_header_as_well(page: Visitor) -> None:
    answer = page.post("/settings/profile", data={"name": "Ada L"}, headers={"x-csrf-token": page.csrf()})
    assert answer.status_code == 303


def test_the_token_of_another_session_is_refused(page: Visitor, ada: object, signed_in: object) -> None:
    other = signed_in(ada)  # type: ignore[operator]
    assert page.post("/settings/profile", data={"name": "M", "csrf": other.csrf()}).status_code == 403


@pytest.mark.parametrize("template", sorted(path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*.html")), ids=str)
def test_every_form_that_posts_carries_the_token(template: Path) -> None:
    source = (TEMPLATES / template).read_text()
    carriers = ["csrf", *re.findall(r"macro (\w+)\((?:(?!endmacro).)*csrf\(\)", source, re.DOTALL)]
    for form in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", source, re.DOTALL):
        is_open = 'action="/signin' in form or 'action="/appearance"' in form
        assert is_open or any(f"{macro}(" in form for macro in carriers), f"{template}: {form[:120]}"


# --- Discovery --------------------------------------------------------------------------------------------------


def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> types.ModuleType:
    name = f"found_{abs(hash(source))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "thing.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return __import__(name)


def test_an_api_module_is_found_by_lying_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from fastapi import APIRouter\nrouter = APIRouter(prefix='/things')\n"
    (router,) = find_api(_package(tmp_path, monkeypatch, source))
    assert isinstance(router, APIRouter)


@pytest.mark.parametrize("source", ["", "router = None\n", "routes = []\n"])
def test_a_module_without_a_router_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    with pytest.raises(TypeError, match="needs a `router`"):
        find_api(_package(tmp_path, monkeypatch, source))


# --- The database is away ---------------------------------------------------------------------------------------


@pytest.fixture
def database_is_away(page: Visitor, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After Ada has signed in."""

    def forget() -> None:
        db.engine().dispose()
        db.engine.cache_clear()
        config.settings.cache_clear()

    forget()
    with monkeypatch.context() as patch:
        patch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere?connect_timeout=2")
        yield
        forget()


@pytest.mark.usefixtures("database_is_away")
def test_without_the_database_pages_say_so_and_when_to_come_back(page: Visitor, application: FastAPI) -> None:
    shown = page.get("/seeds")
    assert shown.status_code == 503
    assert "The database can&#39;t be reached." in shown.text
    assert int(shown.headers["retry-after"]) > 0
    told = page.get("/api/v1/seed-sets")
    assert told.status_code == 503
    assert told.json()["error"]["message"] == "The database can't be reached."
    assert page.get("/readyz").status_code == 503
    assert page.get("/healthz").status_code == 200
    this_machine = TestClient(application, base_url="http://localhost", client=("127.0.0.1", 50_000))
    assert "cairn_database_up 0.0" in this_machine.get("/metrics").text
