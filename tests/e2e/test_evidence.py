"""Every statement leads to its words and back, says what was found about it, and does so without a mouse."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from scripted_replies import tokens

pytestmark = [pytest.mark.timeout(300)]

PERMITS = (
    "# Parking permits\n\nA parking permit costs 14.20 euro a month. The permit office is on the ground floor.\n\n"
    "## Bicycles\n\nBicycles are parked in the cellar free of charge and need no permit.\n"
)
QUESTION = "What does a parking permit cost a month?"
RIGHT = "A parking permit costs 14.20 euro a month [S1]."
WRONG = "A parking permit costs 19.80 euro a month [S1]."
BARE = "Permits are sold on Sundays by the mayor."
LIT = "CSS.highlights.has('statement') ? [...CSS.highlights.get('statement')].map(r => r.toString()) : []"


TARIFF = (
    "# Ferry tariff\n\nThe **ferry** crosses _daily_, see [the timetable](https://a.test/times) and `ferry --times`.\n\n"
    "## Prices\n\nA **ferry ticket** costs [7.30 euro](https://a.test/fares) for `adults`.\n\n"
    "| **Who** | Price |\n|---|---|\n| Children | 2.10 |\n"
)
MARKS = re.compile(r"[*_`|#]|\]\(|\[the")


@pytest.fixture
def permits(site: Any) -> None:
    from chatapp.operations.bench.client import Client, Upload

    client = Client(url=site.url, key=site.first_run["api_key"])
    client.ingest(site.first_run["knowledge_base"], [Upload("permits.md", PERMITS.encode())], limit=120)


@pytest.fixture
def judged(permits: None, script: Any, visit: Callable[..., Any]) -> Callable[..., Any]:
    """Open a window with an answer of one right, one wrong and one bare statement."""

    def open_window(*, text: str = f"{RIGHT} {WRONG} {BARE}", **options: Any) -> Any:
        script.script(tokens(text), model="scripted-cite")
        window = visit(**options)
        window.answer = window.ask(QUESTION)
        assert window.settled(window.answer) == "done"
        window.answer.locator(".chip svg").first.wait_for()
        return window

    return open_window


def lit(page: Any) -> list[str]:
    return list(page.evaluate(LIT))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_statement_carries_what_was_found_about_it(
    judged: Callable[..., Any], scheme: str, pictures: Path
) -> None:
    window = judged(color_scheme=scheme, viewport={"width": 1280, "height": 860})
    chips = window.answer.locator(".chip")
    expect(chips.nth(0)).to_have_accessible_name(re.compile(r"^Source 1, .*, found in the source$"))
    expect(chips.nth(1)).to_have_accessible_name(re.compile(r"^Source 1, .*, not found in the source$"))
    badges = window.answer.locator(".badge")
    expect(badges).to_have_text(["not in the source", "no source"])
    expect(badges.nth(0)).to_have_accessible_name(re.compile(r"number 19\.80 not in the source"))
    window.page.screenshot(path=pictures / f"evidence-{scheme}.png")
    badges.nth(0).click()
    expect(window.page.locator("fn-sources .card.lit .verdict.unsupported").first).to_contain_text("19.80")
    window.page.screenshot(path=pictures / f"evidence-lit-{scheme}.png")


def test_a_statement_lights_its_words_and_the_words_light_the_statement(judged: Callable[..., Any]) -> None:
    window = judged(viewport={"width": 1280, "height": 860})
    page = window.page
    window.answer.get_by_text("14.20").hover(position={"x": 30, "y": 12})
    expect(page.locator("fn-sources .evidence.lit mark").first).to_contain_text("14.20")
    assert lit(page) == ["A parking permit costs 14.20 euro a month"]
    page.mouse.move(5, 5)
    expect(page.locator("fn-sources .evidence.lit")).to_have_count(0)
    assert lit(page) == []
    page.locator("fn-sources .evidence").first.hover()
    assert any("14.20" in words for words in lit(page))
    expect(window.answer.locator(".chip.lit").first).to_be_visible()


def test_a_bare_statement_leads_to_the_list_of_what_was_not_found(judged: Callable[..., Any]) -> None:
    window = judged()
    window.answer.locator(".badge.uncited").click()
    listed = window.answer.locator("details.bar-checks")
    expect(listed).to_contain_text(BARE)
    expect(listed.locator("summary")).to_be_focused()


def test_all_of_it_without_a_mouse(judged: Callable[..., Any]) -> None:
    window = judged(viewport={"width": 1280, "height": 860})
    page = window.page
    page.locator("fn-log").focus()
    page.keyboard.press("]")
    expect(window.answer.locator(".chip").nth(0)).to_be_focused()
    assert lit(page) == ["A parking permit costs 14.20 euro a month"]
    page.keyboard.press("]")
    page.keyboard.press("]")
    expect(window.answer.locator(".badge.unsupported")).to_be_focused()
    page.keyboard.press("Enter")
    card = page.locator("fn-sources .card.lit")
    expect(card).to_be_focused()
    page.keyboard.press("Tab")
    expect(card.get_by_role("link", name=re.compile("Open in document")).first).to_be_focused()
    page.keyboard.press("Escape")
    expect(window.answer.locator(".badge.unsupported")).to_be_focused()
    page.keyboard.press("[")
    expect(window.answer.locator(".chip").nth(1)).to_be_focused()
    box = page.get_by_label("Your question", exact=True).and_(page.locator("textarea"))
    box.focus()
    page.keyboard.type("x[1]")
    expect(box).to_have_value("x[1]")
    box.fill("")


def test_a_reload_shows_the_same_verdicts(judged: Callable[..., Any]) -> None:
    window = judged()
    before = window.answer.locator(".answer-body").inner_text()
    window.page.reload()
    answer = window.page.locator(".message.answer").last
    expect(answer.locator(".badge")).to_have_text(["not in the source", "no source"])
    assert answer.locator(".answer-body").inner_text() == before


def test_on_a_narrow_screen_the_badge_opens_its_words(judged: Callable[..., Any], pictures: Path) -> None:
    window = judged(viewport={"width": 360, "height": 740})
    window.page.screenshot(path=pictures / "evidence-narrow.png")
    window.answer.locator(".badge.unsupported").click()
    expect(window.page.locator("fn-sources.is-open .card.lit")).to_be_in_viewport()
    window.page.screenshot(path=pictures / "evidence-narrow-words.png")
    assert window.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    window.page.keyboard.press("Escape")
    expect(window.page.locator("fn-sources")).not_to_have_class(re.compile("is-open"))


def test_small_talk_shows_no_sources(judged: Callable[..., Any], script: Any) -> None:
    window = judged()
    script.script(tokens("You're welcome. Let me know if you need more."), model="scripted-cite")
    answer = window.ask("Thanks a lot!")
    assert window.settled(answer) == "done"
    assert answer.locator(".chip, .badge").count() == 0
    expect(answer.locator(".answer-bar")).not_to_contain_text("read")
    expect(window.page.locator("fn-sources")).to_contain_text("no source to show")
    assert window.page.locator("fn-sources .card").count() == 0


@pytest.fixture
def two_rules(site: Any) -> None:
    """Two documents that say the same but for one number."""
    from chatapp.operations.bench.client import Client, Upload

    rule = (
        "# Locker rules {name}\n\nLockers are rented at the counter of the sports hall for the whole season. "
        "A lost locker key costs {sum} euro and is replaced within three days by the caretaker.\n"
    )
    client = Client(url=site.url, key=site.first_run["api_key"])
    uploads = [
        Upload(f"lockers-{name}.md", rule.format(name=name, sum=amount).encode())
        for name, amount in (("north", 25), ("south", 40))
    ]
    client.ingest(site.first_run["knowledge_base"], uploads, limit=120)


def test_sources_that_contradict_each_other_are_named(
    two_rules: None, script: Any, visit: Callable[..., Any], pictures: Path
) -> None:
    script.script(tokens("A lost locker key costs 25 euro [S1] or 40 euro [S2]."), model="scripted-cite")
    window = visit(viewport={"width": 1280, "height": 860})
    answer = window.ask("What does a lost locker key cost?")
    assert window.settled(answer) == "done"
    notes = window.page.locator("fn-sources .disagreement")
    expect(notes.first).to_contain_text(re.compile("Differs from source [12]"))
    told = " ".join(notes.all_inner_texts())
    assert "25" in told
    assert "40" in told
    window.page.screenshot(path=pictures / "evidence-disagreement.png")


def test_cards_and_hits_show_words_without_markdown_marks(
    site: Any, script: Any, visit: Callable[..., Any], pictures: Path
) -> None:
    from chatapp.operations.bench.client import Client, Upload

    client = Client(url=site.url, key=site.first_run["api_key"])
    client.ingest(site.first_run["knowledge_base"], [Upload("tariff.md", TARIFF.encode())], limit=120)
    script.script(tokens("A ferry ticket costs 7.30 euro for adults [S1]."), model="scripted-cite")
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    answer = window.ask("What does a ferry ticket cost?")
    assert window.settled(answer) == "done"
    answer.locator(".chip").first.click()
    quote = page.locator("fn-sources .card.lit blockquote").first
    assert quote.locator("mark").first.inner_text() == "A ferry ticket costs 7.30 euro for adults."
    assert not MARKS.search(quote.inner_text())
    conversation = page.url
    for width, scheme in ((1280, "light"), (1280, "dark"), (360, "light")):
        page.set_viewport_size({"width": width, "height": 860})
        page.emulate_media(color_scheme=scheme)
        page.goto(conversation)
        page.locator(".message.answer .chip").first.click()
        quote.wait_for()
        page.screenshot(path=pictures / f"words-card-{width}-{scheme}.png")
        page.goto(f"{window.url}/search/?q=ferry+ticket+price")
        hit = page.locator(".hit-text").filter(has_text="ferry").first
        expect(hit.locator("mark").first).to_be_visible()
        assert not MARKS.search(hit.inner_text())
        page.screenshot(path=pictures / f"words-search-{width}-{scheme}.png", full_page=True)
    page.goto(conversation)
    page.locator(".message.answer .chip").first.click()
    page.locator("fn-sources .card.lit").get_by_role("link", name=re.compile("Open in document")).first.click()
    page.locator("mark#match").wait_for()
    assert "".join(page.locator("article mark").all_inner_texts()) == "A ferry ticket costs 7.30 euro for adults."
