"""The tree, a variant and the review queue as a browser without JavaScript sees them, and as htmx does."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from app.db import unit_of_work
from app.domain.actor import Actor, Role
from app.events import publish
from app.features.review import service as review
from app.features.review.schemas import Ballot
from app.features.runs import feed
from app.models import Variant
from tests.support import builders
from tests.support.browsing import Visitor
from tests.support.counting import statements

HTMX = {"HX-Request": "true"}


@pytest.fixture
def run(ada: Actor) -> int:
    with unit_of_work() as session:
        return builders.grown_run(session, ada, chains=3).id


@pytest.fixture
def family(run: int, ada: Actor) -> dict[str, Variant]:
    """The variants of a chain by their place; the last chain of the run."""
    with unit_of_work() as session:
        grown = builders.grown_chain(session, session.get_one(builders.Run, run), 9)
        return {f"{v.turn}.{v.branch}": v for v in grown}


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def form_of(html: str, act: str) -> dict[str, str]:
    """The hidden fields of the form whose button or field says `act`."""
    forms = re.findall(r"<form.*?</form>", html, re.DOTALL)
    form = next(f for f in forms if f'name="act" value="{act}"' in f)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    return {name: unescape(value) for name, value in fields.items()} | {"act": act}


# --- the tree ---


def test_shows_chains_variants_and_the_chosen_one(page: Visitor, run: int, family: dict[str, Variant]) -> None:
    shown = page.get(f"/runs/{run}/tree", params={"node": family["3.1"].id})
    assert shown.status_code == 200
    told = text_of(shown.text)
    assert "7 chains · 32 variants · still growing" in told
    assert "3.1 against its parent 2.1 · harder, aimed at 0.35 to 0.65" in told
    assert "pass rate 0.12" in told
    assert shown.text.count('aria-selected="true"') == 1
    assert 'role="treegrid"' in shown.text


def test_without_a_choice_the_first_chain_is_shown_with_its_seed(page: Visitor, run: int) -> None:
    told = text_of(page.get(f"/runs/{run}/tree").text)
    assert "Usable 5 of 7" in told
    assert "snippet, python, PSF-2.0" in told


def test_expanders_are_links_that_keep_filters(page: Visitor, run: int) -> None:
    html = page.get(f"/runs/{run}/tree?environment=induction&arm=main").text
    href = unescape(re.search(r'<a class="twist" href="([^"]+)"', html).group(1))  # type: ignore[union-attr]
    assert "environment=induction" in href
    folded = page.get(href).text
    assert folded.count('aria-expanded="false"') == 1
    assert "5.1" not in text_of(folded.split("<tbody")[1].split("</tbody>")[0])


def test_nothing_matches(page: Visitor, run: int) -> None:
    told = text_of(page.get(f"/runs/{run}/tree?q=nowhere+to+be+found").text)
    assert "No match" in told
    assert "Clear filters" in told


def test_an_empty_run_says_that_it_grows(page: Visitor, ada: Actor) -> None:
    with unit_of_work() as session:
        empty = builders.run(session, ada).id
    assert "Still growing" in page.get(f"/runs/{empty}/tree").text


@pytest.mark.parametrize("query", ["colour=red", "sort=luck", "environment=poetry", "node=x", "after=zzz", "bin=tiny"])
def test_what_is_no_filter_is_refused_by_name(page: Visitor, run: int, query: str) -> None:
    refused = page.get(f"/runs/{run}/tree?{query}")
    assert refused.status_code == 422
    assert query.partition("=")[0] in text_of(refused.text)


def test_htmx_gets_the_part_that_it_asks_for(page: Visitor, run: int, family: dict[str, Variant]) -> None:
    path = f"/runs/{run}/tree?node={family['3.1'].id}"
    detail = page.get(path, headers=HTMX | {"HX-Target": "section#detail"}).text
    assert detail.lstrip().startswith('<section id="detail"')
    assert 'id="grid"' not in detail
    assert f'<span id="review-{family["3.1"].id}" hx-swap-oob="true">' in detail
    grid = page.get(path, headers=HTMX | {"HX-Target": "form#grid"}).text
    assert grid.lstrip().startswith('<form id="grid"')
    assert 'id="detail"' not in grid


def test_a_variant_of_another_run_is_not_found(page: Visitor, ada: Actor, family: dict[str, Variant]) -> None:
    with unit_of_work() as session:
        other = builders.run(session, ada).id
    assert page.get(f"/runs/{other}/tree?node={family['3.1'].id}").status_code == 404


def test_others_see_nothing_of_it(
    signed_in: Callable[[Actor], Visitor], visitor: Visitor, run: int, family: dict[str, Variant]
) -> None:
    paths = [f"/runs/{run}/tree", f"/variants/{family['3.1'].id}", f"/review?run={run}", f"/runs/{run}/approve?pick=1"]
    with unit_of_work() as session:
        eve = builders.owner(session, "Eve")
    stranger = signed_in(eve)
    for path in paths:
        assert stranger.get(path).status_code == 404
        assert visitor.get(path).status_code == 303


def test_queries_do_not_grow_with_the_rows(page: Visitor, run: int, family: dict[str, Variant]) -> None:
    def cost(path: str) -> int:
        with statements() as found:
            assert page.get(path).status_code == 200
        return len(found)

    few = cost(f"/runs/{run}/tree?turn=6&node={family['3.1'].id}")
    assert cost(f"/runs/{run}/tree?node={family['3.1'].id}") <= few <= 26


# --- a variant ---


def test_every_tab_of_a_variant(page: Visitor, family: dict[str, Variant]) -> None:
    path = f"/variants/{family['3.1'].id}"
    told = {
        "problem": ["against parent 2.1", "Ties go to the later run", "[(1, 0), (2, 1), (3, 1), (4, 0)]"],
        "attempts": ["all 32", "passed 4", "failed 28", "The value differs from the gold output."],
        "reply": ["```python", "Reasoning before it"],
        "prompt": ["What a chat model is asked", "limit"],
        "provenance": ["PSF-2.0", "heapq.py 340-378", "Sandbox level full", "Content hash"],
    }
    for tab, parts in told.items():
        shown = page.get(f"{path}?tab={tab}")
        assert shown.status_code == 200
        for part in parts:
            assert part in text_of(shown.text), (tab, part)


def test_compares_with_parent_seed_sibling_and_nothing(page: Visitor, family: dict[str, Variant]) -> None:
    path = f"/variants/{family['3.1'].id}"
    names = {"": "parent 2.1", "seed": "seed heapq.py", family["3.2"].id: "3.2"}
    for base, name in names.items():
        for mode in ("unified", "split"):
            assert f"against {name}" in text_of(page.get(f"{path}?base={base}&mode={mode}").text)
    assert "against" not in text_of(page.get(f"{path}?base=none").text).split("Statement")[1]
    refused = page.get(f"{path}?base=999999")
    assert refused.status_code == 422
    assert "base" in text_of(refused.text)


def test_an_invalid_one_says_why_and_shows_the_reply(page: Visitor, family: dict[str, Variant]) -> None:
    told = text_of(page.get(f"/variants/{family['4.1'].id}").text)
    assert "The program does not always give the same outputs. nondeterministic" in told
    assert "f gives [3, 1] in one process" in told
    assert "Told to the teacher: Use no clock" in told
    assert "4.1 is invalid (nondeterministic): it is no problem to decide on." in told
    assert "No attempts" in text_of(page.get(f"/variants/{family['4.1'].id}?tab=attempts").text)


def test_its_child_is_compared_with_the_nearest_valid_ancestor(page: Visitor, family: dict[str, Variant]) -> None:
    assert "against valid ancestor 3.1" in text_of(page.get(f"/variants/{family['5.1'].id}").text)


# --- deciding ---


def test_approving_on_the_variant_page(page: Visitor, family: dict[str, Variant]) -> None:
    path = f"/variants/{family['3.1'].id}"
    answer = page.submit(path, form_of(page.get(path).text, "approve"))
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    told = text_of(page.get(path).text)
    assert "Approved 3.1." in told
    assert "approved Ada just now" in told


def test_a_rejection_that_lacks_its_comment_comes_back_as_it_was(page: Visitor, family: dict[str, Variant]) -> None:
    path = f"/variants/{family['3.1'].id}"
    form = form_of(page.get(path).text, "reject")
    answer = page.submit(path, form | {"reason": "other", "comment": ""})
    assert answer.status_code == 422
    assert "needs a comment" in text_of(answer.text)
    assert '<details class="reject" open>' in answer.text


def test_a_stale_page_gets_409_with_what_changed_and_keeps_the_text(
    page: Visitor, ada: Actor, family: dict[str, Variant]
) -> None:
    variant = family["3.1"]
    path = f"/variants/{variant.id}"
    form = form_of(page.get(path).text, "reject")
    with unit_of_work() as session:
        grace = builders.member(session, ada, "Grace")
        review.decide(session, grace, variant.id, Ballot(kind="approve", content_hash=variant.content_hash or ""))
    typed = form | {"reason": "unclear", "comment": "which <run> wins?"}
    answer = page.submit(path, typed)
    assert answer.status_code == 409
    assert "Grace approved 3.1 since you opened it." in text_of(answer.text)
    assert "which &lt;run&gt; wins?</textarea>" in answer.text
    again = page.submit(path, typed | form_of(answer.text, "reject"))
    assert again.status_code == 303
    assert "which <run> wins?" in text_of(page.get(path).text)


def test_viewers_see_why_they_cannot_decide(
    signed_in: Callable[[Actor], Visitor], ada: Actor, family: dict[str, Variant]
) -> None:
    with unit_of_work() as session:
        viewer = builders.member(session, ada, "Vera", Role.VIEWER)
    vera = signed_in(viewer)
    path = f"/variants/{family['3.1'].id}"
    html = vera.get(path).text
    assert "This needs the role member" in text_of(html)
    assert 'value="approve"' not in html
    form = {"act": "approve", "variant": str(family["3.1"].id), "content_hash": family["3.1"].content_hash or ""}
    assert vera.submit(path, form).status_code == 403


def test_the_queue_goes_on_to_the_next_one_and_comes_back_by_undo(
    page: Visitor, run: int, family: dict[str, Variant]
) -> None:
    path = f"/review?run={run}&environment=induction&arm=main"
    first = page.get(path)
    form = form_of(first.text, "approve")
    answer = page.submit(path, form)
    assert answer.headers["location"] == f"{path}&after={form['variant']}"
    second = page.get(answer.headers["location"])
    assert "Approved 2.1." in text_of(second.text)
    assert "1 of 10 decided" in text_of(second.text)
    undone = page.submit(answer.headers["location"], form_of(second.text, "undo"))
    assert undone.headers["location"] == f"{path}&item={form['variant']}"
    assert "0 of 10 decided" in text_of(page.get(undone.headers["location"]).text)


def test_htmx_gets_the_next_one_in_the_same_request(page: Visitor, run: int, family: dict[str, Variant]) -> None:
    path = f"/review?run={run}"
    form = form_of(page.get(path).text, "approve")
    answer = page.submit(path, form, headers=HTMX | {"HX-Target": "div#queue"})
    assert answer.status_code == 200
    assert answer.headers["HX-Push-Url"] == f"{path}&after={form['variant']}"
    assert answer.text.lstrip().startswith('<div id="queue"')
    assert form_of(answer.text, "approve")["variant"] != form["variant"]
    assert len(answer.content) < 40_000


def test_the_queue_tells_done_from_hidden_from_empty(page: Visitor, ada: Actor, run: int) -> None:
    with unit_of_work() as session:
        empty = builders.run(session, ada, state="finished").id
        lone = builders.run(session, ada, state="finished")
        variant = builders.variant(session, builders.chain(session, lone))
        builders.measurement(session, variant, 16)
        decided = Ballot(kind="approve", content_hash=variant.content_hash or "")
    assert "Nothing usable yet" in page.get(f"/review?run={empty}").text
    assert "Your filter hides what waits" in page.get(f"/review?run={lone.id}&environment=fuzzing").text
    with unit_of_work() as session:
        review.decide(session, ada, variant.id, decided)
    assert "Every usable variant of this run is decided." in page.get(f"/review?run={lone.id}").text
    assert "stdlib, four environments" in page.get("/review").text


def test_many_are_counted_and_shown_before_they_are_approved(
    page: Visitor, run: int, family: dict[str, Variant]
) -> None:
    picked = [family[at].id for at in ("2.1", "3.1", "4.1")]
    shown = page.get(f"/runs/{run}/approve", params={"pick": picked, "back": f"/runs/{run}/tree?fold=true"})
    told = text_of(shown.text)
    assert "Approve 2 variants?" in told
    assert "4.1 is invalid" in told
    picks = re.findall(r'name="pick" value="([^"]+)"', shown.text)
    answer = page.submit(f"/runs/{run}/approve", {"pick": picks, "back": f"/runs/{run}/tree?fold=true"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run}/tree?fold=true")
    assert "Approved 2 variants." in page.get(answer.headers["location"]).text


def test_nothing_selected_and_broken_picks(page: Visitor, run: int) -> None:
    assert "Nothing is selected" in page.get(f"/runs/{run}/approve").text
    assert page.submit(f"/runs/{run}/approve", {"pick": ["nonsense"]}).status_code == 422
    assert 'href="https:' not in page.get(f"/runs/{run}/approve?back=https://elsewhere.example/").text


def test_the_stream_of_a_growing_tree_goes_on_from_what_the_page_shows(page: Visitor, run: int, ada: Actor) -> None:
    with unit_of_work() as session:
        publish(session, ada.workspace_id, run, "variant", 1)
        newest = feed.newest_event(session, ada.workspace_id, run)
    assert f'"/runs/{run}/events?after={newest}"' in page.get(f"/runs/{run}/tree").text
