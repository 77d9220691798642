"""The form of a new run with htmx: it answers to every change, and never takes anything out of one's hands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from app.db import unit_of_work
from app.features.accounts import service as accounts
from tests.support import builders
from tests.support.axe import violations
from tests.support.keyboard import press, sign_in


@pytest.fixture
def form(page: Page, database: str, broker: str) -> Page:
    """Ada's browser on the form; she has a set of four seeds."""
    with unit_of_work() as session:
        ada = builders.owner(session, "Ada")
        seeds = builders.seed_set(session, ada, name="functions").seed_count
        link = accounts.create_sign_in_link(session, ada)
    sign_in(page, f"/signin/{link}?next=/runs/new?from=quick")
    expect(page.locator(".launch")).to_contain_text(f"{seeds} seeds, beginning with")
    return page


def test_the_size_follows_and_the_focus_stays(form: Page) -> None:
    form.get_by_label("How many").fill("1")
    form.get_by_label("Turns", exact=True).fill("5")
    press(form, "Tab")
    expect(form.locator(".launch")).to_contain_text("up to 320")  # 1 seed, 4 environments, 5 turns, 16 attempts
    expect(form.get_by_label("Attempts", exact=True)).to_be_focused()
    form.get_by_label("Fuzzing", exact=True).uncheck()
    expect(form.locator(".launch")).to_contain_text("up to 240")
    expect(form.get_by_text("Fuzzing: limits and options")).to_have_count(0)


def test_what_was_changed_before_the_scripts_came_counts(form: Page) -> None:
    held: list[Route] = []
    form.route("**/*.js*", lambda route: held.append(route))
    form.reload(wait_until="commit")
    form.get_by_label("Fuzzing", exact=True).uncheck()
    form.get_by_label("Turns", exact=True).fill("5")
    for script in held:
        script.continue_()
    expect(form.get_by_text("Fuzzing: limits and options")).to_have_count(0)
    expect(form.get_by_label("Turns", exact=True)).to_have_value("5")


def test_a_wrong_figure_is_told_at_its_field_at_once(form: Page) -> None:
    form.get_by_label("Turns", exact=True).fill("0")
    press(form, "Tab")
    expect(form.get_by_label("Turns", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_role("alert")).to_contain_text("turns")
    assert violations(form) == []
    form.get_by_label("Turns", exact=True).fill("2")
    press(form, "Tab")
    expect(form.get_by_role("alert")).to_have_count(0)


def test_an_engine_brings_its_options_and_what_stands_elsewhere_stays(form: Page) -> None:
    form.get_by_label("Name of the run").fill("With a server")
    opened = form.get_by_text("Induction: limits and options")
    opened.click()
    form.get_by_label("Teacher", exact=True).select_option("openai")
    form.get_by_label("Base URL").fill("not an address")
    press(form, "Tab")
    expect(form.get_by_label("Base URL")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("Model", exact=True)).not_to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("Name of the run")).to_have_value("With a server")
    expect(form.locator("#options-induction .cols")).to_be_visible()
    form.get_by_role("button", name="Launch").last.click()
    expect(form.get_by_label("Model", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_label("Name of the run")).to_have_value("With a server")
    assert violations(form) == []


def test_a_known_model_fills_in_its_settings_and_leaves_later_changes_alone(form: Page) -> None:
    form.get_by_label("Student", exact=True).select_option("vllm")
    form.get_by_label("Base URLs").fill("http://gpu-1:8001/v1")
    form.get_by_label("Settings of").focus()
    form.get_by_label("Settings of").select_option("llama-3.1-8b-instruct")
    expect(form.get_by_label("Model", exact=True)).to_have_value("llama-3.1-8b-instruct")
    expect(form.get_by_label("Settings of")).to_be_focused()
    expect(form.get_by_label("Base URLs")).to_have_value("http://gpu-1:8001/v1")
    form.get_by_label("Max tokens", exact=True).fill("123")
    press(form, "Tab")
    form.get_by_label("Turns", exact=True).fill("3")
    press(form, "Tab")
    expect(form.locator(".launch")).to_contain_text("up to 768")  # 4 seeds, 4 environments, 3 turns, 16 attempts
    expect(form.get_by_label("Max tokens", exact=True)).to_have_value("123")
    form.get_by_label("Settings of").select_option("qwen3-8b-base")
    expect(form.get_by_label("Max tokens", exact=True)).to_have_value("4096")
    expect(form.get_by_label("Prompt", exact=True)).to_have_value("plain")
    assert violations(form) == []


def test_yaml_goes_out_and_comes_in_as_a_file(form: Page, tmp_path: Path) -> None:
    form.get_by_label("Turns", exact=True).fill("7")
    form.get_by_role("button", name="Write from the form").click()
    text = form.get_by_label("Or edit it here")
    expect(text).to_have_value(re.compile(r"turns: 7\n"))
    path = tmp_path / "run.yaml"
    path.write_text(text.input_value().replace("turns: 7", "turns: 9"))
    form.goto("/runs/new")
    form.get_by_label("Read a file").set_input_files(path)
    form.get_by_role("button", name="Read into the form").click()
    expect(form.get_by_role("status").get_by_text("Nothing has been launched yet")).to_be_visible()
    expect(form.get_by_label("Turns", exact=True)).to_have_value("9")
