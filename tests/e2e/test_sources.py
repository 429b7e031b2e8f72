"""What a reader sees of sources that were replaced, deleted, erased or closed to them; and of unanswered questions."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from chatapp.operations.bench.client import Client, Upload

pytestmark = [pytest.mark.timeout(300)]

BADGES = "# Badges\n\nA visitor badge is valid for 36 hours.\n"
NEWER = "# Badges\n\nBadges are no longer used at all.\n"
LOCKERS = "# Lockers\n\nA locker may be kept for 14 months by every member.\n"
QUESTION = "How long is a visitor badge valid?"
QUOTE = "A visitor badge is valid for 36 hours"
ABOUT_LOCKERS = "How long may a locker be kept?"


@pytest.fixture
def client(site: Any) -> Client:
    return Client(url=site.url, key=site.first_run["api_key"])


@pytest.fixture
def base(client: Client) -> str:
    """A base of the test's own: it is taken away."""
    return client.knowledge_base(f"sources {uuid.uuid4().hex[:8]}")


def documents(client: Client, base: str) -> dict[str, str]:
    """Put two documents into the base; return their ids by title."""
    rows = client.ingest(
        base, [Upload("badges.md", BADGES.encode()), Upload("lockers.md", LOCKERS.encode())], limit=120
    )
    return {row["title"]: row["id"] for row in rows}


def asked(client: Client, base: str, question: str) -> str:
    """Ask and return the address of the conversation."""
    answer = client.ask(question, [base])
    assert answer["citations"], answer
    return f"/c/{answer['conversation']}/"


def take_away(site: Any, base: str) -> None:
    """Give the base to another organisation, so that nobody of this one may read it any more."""
    other = uuid.uuid4().hex
    with sqlite3.connect(site.data_dir / "footnote.sqlite3", timeout=30) as database:
        database.execute(
            "INSERT INTO tenants_tenant (id, slug, name, active, created) VALUES (?, ?, 'Other', 1, '2026-01-01')",
            (other, f"other-{other[:8]}"),
        )
        changed = database.execute(
            "UPDATE documents_knowledgebase SET tenant_id = ? WHERE id = ?", (other, uuid.UUID(base).hex)
        )
        assert changed.rowcount == 1


def opened(window: Any, address: str) -> Any:
    """Open a conversation and the first card of its last answer."""
    page = window.page
    page.goto(f"{window.url}{address}")
    answer = page.locator(".message.answer").last
    answer.locator(".answer-bar .bar-model").wait_for()
    answer.click()
    card = page.locator("fn-sources .card").first
    card.wait_for()
    return card


def test_sources_that_were_replaced_deleted_erased_and_closed(
    visit: Callable[..., Any], client: Client, base: str, site: Any, pictures: Path
) -> None:
    ids = documents(client, base)
    badges, lockers = asked(client, base, QUESTION), asked(client, base, ABOUT_LOCKERS)
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    card = opened(window, badges)
    expect(card.locator(".card-standing")).to_have_count(0)
    badge_id = next(pk for title, pk in ids.items() if "adge" in title)
    locker_id = next(pk for title, pk in ids.items() if "ocker" in title)

    version = client.add_version(badge_id, Upload("badges.md", NEWER.encode()))
    client.wait(base, [version["id"]], limit=120)
    card = opened(window, badges)
    expect(card.locator(".card-standing")).to_have_text("A newer version of this document exists")
    expect(card.get_by_role("link", name=re.compile("Open the current version"))).to_be_visible()
    page.screenshot(path=pictures / "sources-replaced.png")
    card.get_by_role("link", name=re.compile("Open the cited version")).click()
    assert "".join(page.locator("article mark").all_inner_texts()).startswith(QUOTE)

    client.call("DELETE", f"/documents/{badge_id}")
    card = opened(window, badges)
    expect(card.locator(".card-standing")).to_have_text("This document has been deleted")
    assert QUOTE in card.locator("mark").first.inner_text()
    expect(card.get_by_role("link")).to_have_count(0)
    page.screenshot(path=pictures / "sources-deleted.png")

    client.call("DELETE", f"/documents/{locker_id}?erase=true")
    card = opened(window, lockers)
    expect(card.locator(".card-standing")).to_have_text(re.compile(r"^Erased on \d+ \w+ \d{4}$"))
    expect(page.locator(".message.answer").last).to_contain_text("its source was erased on")
    assert "14 months" not in page.content()
    page.screenshot(path=pictures / "sources-erased.png")

    take_away(site, base)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        card = opened(window, badges)
        expect(card.locator(".card-standing")).to_have_text("You may no longer open this source")
        expect(page.locator(".message.answer").last).to_contain_text("you may no longer open its source")
        for words in (QUOTE, "36 hours", "Badges"):
            assert words not in page.content().replace(QUESTION, "")
        page.screenshot(path=pictures / f"sources-forbidden-{scheme}.png")


@contextmanager
def as_editor(site: Any) -> Iterator[None]:
    """Give the owner the role of an editor for a while."""

    def change(before: str, after: str) -> None:
        with sqlite3.connect(site.data_dir / "footnote.sqlite3", timeout=30) as database:
            changed = database.execute("UPDATE tenants_membership SET role = ? WHERE role = ?", (after, before))
            assert changed.rowcount == 1

    change("owner", "editor")
    try:
        yield
    finally:
        change("editor", "owner")


def deletion(window: Any, base: str, title: str) -> Any:
    """Open the documents page and the dialog that asks whether to delete one."""
    window.page.goto(f"{window.url}/documents/?base={base}")
    window.page.get_by_role("button", name=f"Delete {title}").click()
    return window.page.get_by_role("dialog", name="Delete this document?")


def test_an_administrator_erases_a_document_where_it_is_deleted(
    visit: Callable[..., Any], client: Client, base: str, site: Any, pictures: Path
) -> None:
    documents(client, base)
    lockers = asked(client, base, ABOUT_LOCKERS)
    window = visit(viewport={"width": 360, "height": 740})
    page = window.page
    with as_editor(site):
        dialog = deletion(window, base, "Lockers")
        expect(dialog.get_by_role("button", name="Delete")).to_be_visible()
        expect(dialog.get_by_role("checkbox", name="Also erase its words from answers")).to_have_count(0)
    for width, scheme in ((1280, "light"), (1280, "dark"), (360, "dark"), (360, "light")):
        page.set_viewport_size({"width": width, "height": 740})
        page.emulate_media(color_scheme=scheme)
        dialog = deletion(window, base, "Lockers")
        choice = dialog.get_by_role("checkbox", name="Also erase its words from answers")
        expect(choice).to_have_accessible_description(re.compile(r"This can.t be undone\.$"))
        expect(choice).not_to_be_checked()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=pictures / f"erase-{width}-{scheme}.png")
    page.keyboard.press("Shift+Tab")  # from Cancel, which has the focus
    page.keyboard.press("Space")
    expect(choice).to_be_checked()
    dialog.get_by_role("button", name="Delete").press("Enter")
    expect(page.locator("tr[data-document]").filter(has_text="Lockers")).to_have_count(0)
    window.errors.clear()  # the browser notes each 404, and that is how the page hears that the document is gone
    page.goto(f"{window.url}{lockers}")
    answer = page.locator(".message.answer").last
    expect(answer).to_contain_text("its source was erased on")
    expect(answer.locator(".bar-checks")).to_contain_text("left out")
    assert "14 months" not in page.content()
    page.screenshot(path=pictures / "erased-answer-360.png")


def test_a_question_without_an_answer_is_marked_as_done(
    visit: Callable[..., Any], client: Client, base: str, pictures: Path
) -> None:
    question = f"What colour has the moon of {uuid.uuid4().hex[:6]}?"
    empty = client.knowledge_base(f"empty {uuid.uuid4().hex[:8]}")
    assert client.ask(question, [empty])["no_answer"]
    window = visit(viewport={"width": 360, "height": 740})
    page = window.page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{window.url}/unanswered/")
        expect(page.get_by_role("heading", name=question)).to_be_visible()
        expect(page.get_by_text("Nothing was found that is likely to answer it.").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=pictures / f"unanswered-{scheme}.png")
    page.get_by_role("button", name=f"Done: {question}").click()
    expect(page.get_by_role("heading", name=question)).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Done")).click()
    expect(page.get_by_role("heading", name=question)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reply_that_found_nothing_leads_to_what_came_nearest(
    visit: Callable[..., Any], client: Client, base: str, pictures: Path, scheme: str
) -> None:
    documents(client, base)
    answer = client.ask("What colour has the moon of Jupiter?", [base])
    assert answer["no_answer"]
    window = visit(color_scheme=scheme, viewport={"width": 360, "height": 740})
    page = window.page
    page.goto(f"{window.url}/c/{answer['conversation']}/")
    nearest = page.locator(".answer-nearest")
    expect(nearest).to_contain_text("Nearest, though it hardly answers this:")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=pictures / f"nearest-{scheme}.png")
    nearest.get_by_role("link").first.click()
    expect(page.locator("#match, mark").first).to_be_visible()
