"""Pages and their fragments, through the gallery's own application."""

from __future__ import annotations

import base64
import json

import pytest
from starlette.testclient import TestClient

from app.web.render import FLASH_COOKIE, TEMPLATES, Here, Pages, local_path
from tests.support.gallery.app import create_app


@pytest.fixture(scope="module")
def app_client() -> TestClient:
    return TestClient(create_app())


@pytest.fixture
def client(app_client: TestClient) -> TestClient:
    app_client.cookies.clear()
    return app_client


def test_every_template_compiles() -> None:
    environment = Pages().environment
    names = environment.list_templates(filter_func=lambda name: not name.startswith("prompts/"))
    assert "base.html" in names
    for name in names:
        environment.get_template(name)


def test_every_page_has_its_own_title() -> None:
    environment = Pages().environment
    pages = environment.list_templates(filter_func=lambda name: name.endswith("/page.html"))
    assert [name for name in pages if "title" not in environment.get_template(name).blocks] == []


def test_htmx_gets_the_block_and_a_browser_the_page(client: TestClient) -> None:
    page = client.get("/_gallery")
    part = client.get("/_gallery", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert "<html" in page.text
    assert "<html" not in part.text
    assert part.text.strip() in page.text
    assert "HX-Request" in part.headers["Vary"]


def test_htmx_restoring_its_history_gets_the_page(client: TestClient) -> None:
    assert "<html" in client.get("/_gallery", headers={"HX-Request": "true", "HX-Request-Type": "full"}).text


def test_a_message_is_shown_once(client: TestClient) -> None:
    answer = client.post("/_gallery", data={"text": "Approved <b>3</b> variants."}, follow_redirects=False)
    assert answer.status_code == 303
    assert "Approved &lt;b&gt;3&lt;/b&gt; variants." in client.get("/_gallery").text
    assert "Approved &lt;b&gt;" not in client.get("/_gallery").text


@pytest.mark.parametrize(
    "cookie", ["", "nonsense", base64.urlsafe_b64encode(json.dumps([1]).encode()).decode(), "8J-Y"]
)
def test_a_broken_message_is_ignored(client: TestClient, cookie: str) -> None:
    client.cookies.set(FLASH_COOKIE, cookie)
    assert client.get("/_gallery").status_code == 200


def test_the_theme_is_kept_and_leads_back(client: TestClient) -> None:
    assert 'data-theme="system"' in client.get("/_gallery").text
    answer = client.post("/appearance", data={"theme": "dark", "back": "/_gallery?q=1"}, follow_redirects=False)
    assert answer.headers["Location"] == "/_gallery?q=1"
    assert 'data-theme="dark"' in client.get("/_gallery").text


def test_an_error_names_field_remedy_and_request(client: TestClient) -> None:
    page = client.get("/_gallery/refused")
    assert page.status_code == 422
    for part in ("<html", "attempts", "must lie between 1 and 512", "The paper: 32.", "01k4m2v9"):
        assert part in page.text
    part = client.get("/_gallery/refused", headers={"HX-Request": "true"})
    assert part.status_code == 422
    assert "<html" not in part.text


def test_only_errors_that_may_pass_offer_another_try(client: TestClient) -> None:
    assert "Try again" in client.get("/_gallery/unavailable").text
    assert "Try again</a>" not in client.get("/_gallery/refused").text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "/runs?status=running&sort=cost&page=3"),
        ({"sort": "-cost", "page": None}, "/runs?status=running&sort=-cost"),
        ({"q": "a b&c"}, "/runs?status=running&sort=cost&page=3&q=a+b%26c"),
        ({"status": None, "sort": None, "page": None}, "/runs"),
    ],
)
def test_an_address_with_changes(changes: dict[str, object], expected: str) -> None:
    assert Here("/runs", "status=running&sort=cost&page=3")(**changes) == expected


@pytest.mark.parametrize(
    "href", ["https://elsewhere.test/", "//elsewhere.test", "/\\elsewhere.test", "/\t/elsewhere", ""]
)
def test_no_form_leads_to_another_site(href: str) -> None:
    assert local_path(href, "/runs") == "/runs"


def test_a_name_that_no_context_has_is_an_error(client: TestClient) -> None:
    environment = Pages(templates=(TEMPLATES,)).environment
    with pytest.raises(Exception, match="'runz' is undefined"):
        environment.from_string("{{ runz }}").render()
