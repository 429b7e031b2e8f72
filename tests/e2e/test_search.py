"""The search page in a real browser: asked, tried with other settings, saved, and reached from an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from chatapp.operations.bench.client import Client

pytestmark = [pytest.mark.timeout(300)]

QUESTION = "What happens when I delete a document?"


@pytest.fixture(scope="module", autouse=True)
def ready(site: Any) -> None:
    """The documents that come with the product have all been read."""
    client = Client(url=site.url, key=site.first_run["api_key"])
    base = site.first_run["knowledge_base"]
    client.wait(base, list(client.documents(base)), limit=180)


def parameters(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def no_sideways_scrolling(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_a_question_is_searched_compared_and_shared(visit: Callable[..., Any], pictures: Path) -> None:
    page = visit(viewport={"width": 1280, "height": 900}, color_scheme="light").page
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Why did it find that?")
    page.locator("fn-search:defined").wait_for()  # Enter is the script's; before it, a new line
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Saved settings")).to_be_visible()
    assert parameters(page) == {"q": [QUESTION]}, "the address says only what was asked"
    expect(page.locator(".hit-text mark").first).to_be_visible()
    page.screenshot(path=str(pictures / "search-light.png"), full_page=True)

    page.locator(".search-settings > summary").click()
    page.get_by_label("Keyword weight").fill("1")
    page.get_by_label("Passages reranked").fill("0")
    expect(page.get_by_role("heading", name="Changed settings")).to_be_visible()
    expect(page.locator(".hit-move").first).to_be_visible()
    assert parameters(page) == {"q": [QUESTION], "keyword_weight": ["1"], "rerank": ["0"]}
    page.screenshot(path=str(pictures / "search-compared.png"), full_page=True)
    texts = page.locator(".search-column").nth(1).inner_text()
    page.reload()
    assert [line for line in page.locator(".search-column").nth(1).inner_text().split("\n") if "ms" not in line] == [
        line for line in texts.split("\n") if "ms" not in line
    ], "whoever is given the address sees the same"

    page.get_by_label("Keyword weight").fill("7")
    page.wait_for_timeout(400)
    assert parameters(page)["keyword_weight"] == ["1"], "what the field refuses is not sent"

    page.locator(".search-column").first.locator(".dropped > summary").click()
    expect(page.locator(".dropped-list li").first).to_be_visible()
    page.locator(".search-column").first.locator(".dropped").screenshot(path=str(pictures / "search-dropped.png"))
    page.locator(".search-column").first.get_by_role("link", name="Open in document").first.click()
    expect(page.locator("mark#match").first).to_be_visible()


def test_settings_are_saved_for_the_chat_and_put_back(visit: Callable[..., Any]) -> None:
    found = visit()
    page = found.page
    page.goto(f"{found.url}/search/?q=documents&keyword_weight=0.8")
    page.get_by_role("button", name="Save as what").click()
    expect(page.get_by_text("searches with these settings from the next question on")).to_be_visible()
    expect(page.locator("[name=keyword_weight]")).to_have_attribute("data-saved", "0.8")
    page.goto(f"{found.url}/search/?q=documents&keyword_weight=0.5")
    page.get_by_role("button", name="Save as what").click()
    expect(page.locator("[name=keyword_weight]")).to_have_attribute("data-saved", "0.5")


def test_an_answer_leads_to_the_search_behind_it(visit: Callable[..., Any], pictures: Path, script: Any) -> None:
    found = visit(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page = found.page
    answer = found.ask(QUESTION)
    assert found.settled(answer) == "done"
    page.get_by_role("link", name="Why these?").click()
    expect(page.get_by_role("heading", name="Then")).to_be_visible()
    then, now = page.locator(".search-column").all()
    expect(now.get_by_role("heading", name="Now")).to_be_visible()
    assert then.locator(".hit").count() == now.locator(".hit").count() > 0
    assert set(then.locator(".hit-move").all_inner_texts()) == {"same place"}
    expect(then.get_by_text("Cited by the answer").first).to_be_visible()
    assert "run" in parameters(page)
    page.screenshot(path=str(pictures / "search-replay-dark.png"), full_page=True)
    page.locator(".search-settings > summary").click()
    page.get_by_label("Passages reranked").fill("0")
    expect(page.get_by_role("heading", name="Now, with changed settings")).to_be_visible()
    assert set(parameters(page)) == {"run", "rerank"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_narrow_screen_nothing_runs_out_of_it(scheme: str, visit: Callable[..., Any], pictures: Path) -> None:
    found = visit(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = found.page
    page.goto(f"{found.url}/search/?q=heron")
    page.screenshot(path=str(pictures / f"search-narrow-none-{scheme}.png"))
    assert no_sideways_scrolling(page)
    page.goto(f"{found.url}/search/?q={QUESTION}&keyword_weight=1&previous=Which+formats%3F&limit=3")
    expect(page.get_by_role("heading", name="Changed settings")).to_be_visible()
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    assert no_sideways_scrolling(page)
    page.screenshot(path=str(pictures / f"search-narrow-{scheme}.png"), full_page=True)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=str(pictures / f"search-narrow-top-{scheme}.png"))


def test_the_page_works_without_scripts(visit: Callable[..., Any], chromium: Any) -> None:
    found = visit()
    state = found.page.context.storage_state()
    context = chromium.new_context(java_script_enabled=False, storage_state=state)
    try:
        page = context.new_page()
        page.goto(f"{found.url}/search/")
        page.locator("textarea[name=q]").fill(QUESTION)
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.get_by_role("heading", name="Saved settings")).to_be_visible()
        assert json.dumps(parameters(page)).count(QUESTION) == 1
        assert page.locator(".search-column").count() == 1
    finally:
        context.close()
