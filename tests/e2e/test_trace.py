"""How an answer came about, in a real browser: reached from the answer, read, and followed to the exact words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from chatapp.conversations.readable import checked_page
from chatapp.operations.bench.client import Client

pytestmark = [pytest.mark.timeout(300)]

QUESTION = "What happens when I delete a document?"


@pytest.fixture(scope="module", autouse=True)
def ready(site: Any) -> None:
    """The documents that come with the product have all been read."""
    client = Client(url=site.url, key=site.first_run["api_key"])
    base = site.first_run["knowledge_base"]
    client.wait(base, list(client.documents(base)), limit=180)


def no_sideways_scrolling(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_leads_to_how_it_came_about(scheme: str, visit: Callable[..., Any], pictures: Path) -> None:
    found = visit(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = found.page
    answer = found.ask(QUESTION)
    assert found.settled(answer) == "done"
    page.screenshot(path=str(pictures / f"trace-chat-{scheme}.png"))
    answer.get_by_role("link", name="How this answer came about").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How this answer came about")
    expect(page.locator(".trace-question")).to_have_text(QUESTION)
    for section in ("What was searched", "What the model was given", "What the model wrote", "Sentence by sentence",
                    "Time and cost", "Its record"):  # fmt: skip
        expect(page.get_by_role("region", name=section)).to_be_visible()
    assert page.locator("[style]").count() == 0
    page.screenshot(path=str(pictures / f"trace-{scheme}.png"), full_page=True)
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    page.screenshot(path=str(pictures / f"trace-open-{scheme}.png"), full_page=True)
    quote = page.locator(".trace-evidence .trace-words").first.inner_text()
    page.locator(".trace-evidence a").first.click()
    mark = page.locator("mark#match").first
    expect(mark).to_be_visible()
    assert " ".join(mark.inner_text().split()) in " ".join(quote.split())
    page.go_back()
    page.get_by_role("link", name="Try this question with another profile").click()
    expect(page.get_by_role("heading", name="Then")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_narrow_screen_nothing_runs_out_of_it(scheme: str, visit: Callable[..., Any], pictures: Path) -> None:
    found = visit(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = found.page
    answer = found.ask(QUESTION)
    assert found.settled(answer) == "done"
    page.goto(found.url + str(answer.get_by_role("link", name="How this answer came about").get_attribute("href")))
    page.evaluate("for (const fold of document.querySelectorAll('details')) fold.open = true")
    assert no_sideways_scrolling(page)
    page.screenshot(path=str(pictures / f"trace-narrow-{scheme}.png"), full_page=True)


def test_an_administrator_takes_the_proof_along(visit: Callable[..., Any], pictures: Path, tmp_path: Path) -> None:
    found = visit(color_scheme="light")
    page = found.page
    answer = found.ask(QUESTION)
    assert found.settled(answer) == "done"
    answer.get_by_role("link", name="How this answer came about").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="as a page to read").click()
    file = tmp_path / "answer.html"
    download.value.save_as(file)
    assert checked_page(file.read_bytes().decode()) == []
    reader = page.context.new_page()
    try:
        reader.goto(file.as_uri())
        expect(reader.get_by_role("heading", level=1)).to_have_text("An answer and its proof")
        assert no_sideways_scrolling(reader)
        reader.screenshot(path=str(pictures / "trace-export.png"), full_page=True)
    finally:
        reader.close()
