"""The product in a real browser: what people see, click and read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from scripted_replies import MALFORMED, tokens

pytestmark = [pytest.mark.timeout(300)]

BADGES = "# Badges\n\nA visitor badge is valid for 36 hours.\n\n## Return\n\nBadges go back into the box at gate 4.\n"
CANTEEN = "The canteen.\n\nLunch is served from 11:50 to 13:20 on the second floor. Tea is free.\n"
QUESTION = "How long is a visitor badge valid?"
QUOTE = "A visitor badge is valid for 36 hours"
SLOW = [f"word{n} " for n in range(60)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    badges, canteen = tmp_path / "badges.md", tmp_path / "canteen.txt"
    badges.write_text(BADGES)
    canteen.write_text(CANTEEN)
    return [badges, canteen]


@pytest.fixture
def library(site: Any) -> None:
    """The badge rules are there, whichever test comes first."""
    from chatapp.operations.bench.client import Client, Upload

    client = Client(url=site.url, key=site.first_run["api_key"])
    client.ingest(site.first_run["knowledge_base"], [Upload("badges.md", BADGES.encode())], limit=120)


def no_sideways_scroll(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_upload_ask_and_open_the_cited_words(visit: Callable[..., Any], files: list[Path], pictures: Path) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    page.screenshot(path=pictures / "01-empty-chat.png")

    page.get_by_role("link", name="Documents").click()
    page.locator("tr[data-document]").first.wait_for()
    page.locator("[data-drop] input[type=file]").set_input_files([str(path) for path in files])
    for title in ("Badges", "canteen"):
        row = page.locator("tr[data-document]").filter(has_text=re.compile(title, re.IGNORECASE))
        row.locator(".state.ready").wait_for()  # without a reload: the page is told
    page.screenshot(path=pictures / "02-documents.png", full_page=True)

    page.get_by_role("link", name="Chat", exact=True).click()
    answer = window.ask(QUESTION)
    assert window.settled(answer) == "done"
    assert QUOTE in answer.locator(".answer-body").inner_text()
    assert "[S" not in page.content()
    chip = answer.locator(".chip").first
    chip.click()
    card = page.locator("fn-sources .card.lit")
    assert QUOTE in card.locator("mark").first.inner_text()
    page.screenshot(path=pictures / "03-answer.png")

    card.get_by_role("link", name=re.compile("Open in document")).first.click()
    match = page.locator("mark#match")
    match.wait_for()
    assert "".join(page.locator("article mark").all_inner_texts()).startswith(QUOTE)
    assert match.bounding_box()["y"] < 860  # in view, not somewhere below
    page.screenshot(path=pictures / "04-reader.png")
    page.go_back()
    page.locator(".message.answer .chip").first.wait_for()  # the conversation is still there, with its citations


def test_a_reload_in_the_middle_of_an_answer_loses_nothing(
    visit: Callable[..., Any], library: None, script: Any, pictures: Path
) -> None:
    script.script(SLOW, model="scripted-cite", delay_ms=120)
    window = visit()
    answer = window.ask("Say many words.")
    expect(answer.locator(".answer-body")).to_contain_text("word3")
    window.page.screenshot(path=pictures / "05-streaming.png")
    address = window.page.url
    assert urlsplit(address).path.startswith("/c/")
    window.page.reload()
    answer = window.page.locator(".message.answer").last
    expect(answer.locator(".answer-body")).to_contain_text("word3")
    assert window.settled(answer) == "done"
    words = answer.locator(".answer-body").evaluate("body => body.firstChild.firstChild.data")
    assert words.split() == [word.strip() for word in SLOW]
    assert window.page.url == address


def test_stop_ends_an_answer_and_keeps_what_was_read(
    visit: Callable[..., Any], library: None, script: Any, pictures: Path
) -> None:
    script.script([f"word{n} " for n in range(1000)], model="scripted-cite", delay_ms=50)
    window = visit()
    answer = window.ask("Say many words.")
    expect(answer.locator(".answer-body")).to_contain_text("word5")
    window.page.get_by_role("button", name="Stop answering").click()
    assert window.settled(answer) in ("stopped", "done")
    answer.get_by_text("You stopped this answer.").wait_for()
    said = answer.locator(".answer-body").inner_text()
    assert said.startswith("word0 word1")
    assert "word900" not in said
    window.page.screenshot(path=pictures / "06-stopped.png")
    window.page.get_by_role("button", name="Send").wait_for()  # the next question can be asked
    script.reset()
    again = window.ask(QUESTION)
    assert window.settled(again) == "done"
    assert QUOTE in again.inner_text()


def test_nothing_malformed_reaches_the_page(
    visit: Callable[..., Any], library: None, script: Any, pictures: Path
) -> None:
    script.script(tokens(MALFORMED), model="scripted-cite")
    window = visit()
    answer = window.ask(QUESTION)
    window.settled(answer)
    window.page.screenshot(path=pictures / "07-malformed.png")
    for shown in (answer.inner_text(), window.page.locator("body").inner_text()):
        assert "[S" not in shown
        assert "【" not in shown
        assert not re.search("[\ue000-\uf8ff]", shown)
    assert window.page.locator("script:not([src]):not([type='application/json'])").count() == 0
    links = window.page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
    assert not [link for link in links if "evil.test" in link]
    images = window.page.eval_on_selector_all("img", "all => all.map(i => i.src)")
    assert images == []


def test_invented_markers_become_no_citation(visit: Callable[..., Any], library: None, script: Any) -> None:
    script.script(tokens("One claim [S99]. A second [77]. A third (S42)."), model="scripted-cite")
    window = visit()
    answer = window.ask(QUESTION)
    window.settled(answer)
    assert answer.locator(".chip").count() == 0
    assert "S99" not in answer.locator(".answer-body").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_never_scrolls_sideways(
    visit: Callable[..., Any], library: None, pictures: Path, scheme: str
) -> None:
    window = visit(viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True)
    page = window.page
    assert no_sideways_scroll(page)
    answer = window.ask(QUESTION)
    assert window.settled(answer) == "done"
    assert no_sideways_scroll(page)
    page.screenshot(path=pictures / f"08-narrow-{scheme}-answer.png")
    answer.locator(".chip").first.click()
    page.locator("fn-sources.is-open .card.lit").wait_for()
    page.screenshot(path=pictures / f"09-narrow-{scheme}-sources.png")
    assert no_sideways_scroll(page)
    link = page.locator("fn-sources .card-open").first.get_attribute("href")
    for name, path in (("reader", link), ("documents", "/documents/"), ("start", "/")):
        page.goto(f"{window.url}{path}")
        page.wait_for_load_state("networkidle")
        assert no_sideways_scroll(page), name
        page.screenshot(path=pictures / f"10-narrow-{scheme}-{name}.png")


def test_dark_mode_is_dark_everywhere(visit: Callable[..., Any], library: None, pictures: Path) -> None:
    window = visit(color_scheme="dark", viewport={"width": 1280, "height": 860})
    answer = window.ask(QUESTION)
    window.settled(answer)
    for name, path in (("chat", None), ("documents", "/documents/")):
        if path:
            window.page.goto(f"{window.url}{path}")
            window.page.locator("tr[data-document]").first.wait_for()
        colour = window.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert sum(int(part) for part in re.findall(r"\d+", colour)[:3]) < 200, colour
        window.page.screenshot(path=pictures / f"11-dark-{name}.png")


def test_the_sign_in_page_says_when_the_password_is_wrong(chromium: Any, site: Any, pictures: Path) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/")
    assert urlsplit(page.url).path == "/accounts/login/"
    page.screenshot(path=pictures / "12-sign-in.png")
    page.get_by_label("E-mail address").fill(site.first_run["email"])
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").first.wait_for()
    assert urlsplit(page.url).path == "/accounts/login/"
    context.close()
