"""Versions, dates and comparisons in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from chatapp.operations.bench.client import Client, Upload

pytestmark = [pytest.mark.timeout(300)]

FILLER = [f"## Rule {n}\n\nRule number {n} says what holds in room {n} of the east wing." for n in range(12)]


def text(fee: str, *, more: str = "") -> bytes:
    fees = f"# Badges\n\nThe fee for a duplicate badge is {fee} and is paid at the desk."
    end = f"## Parking\n\nParking costs {fee} a day for guests who stay longer."
    return "\n\n".join([fees, *FILLER, end, more]).encode()


@pytest.fixture
def document(site: Any, request: pytest.FixtureRequest) -> str:
    """A document of two versions in the running product."""
    client = Client(url=site.url, key=site.first_run["api_key"])
    base, name = site.first_run["knowledge_base"], f"{request.node.name[:40].replace('[', '-').replace(']', '')}.md"
    row = client.ingest(base, [Upload(name, text("12 euros"))], limit=180)
    (found,) = [one for one in client.documents(base).values() if one["filename"] == name]
    client.ingest(base, [Upload(name, text("15 euros", more="A new closing paragraph was added here."))], limit=180)
    assert row is not None
    return str(found["id"])


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_two_versions_side_by_side(
    visit: Callable[..., Any], document: str, pictures: Path, scheme: str, width: int
) -> None:
    window = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = window.page
    page.goto(f"{window.url}/documents/{document}/compare/?from=1&to=2")
    page.screenshot(path=pictures / f"70-compare-{scheme}-{width}.png", full_page=True)
    expect(page.locator("ins").first).to_have_text("15")
    expect(page.locator("del").first).to_have_text("12")
    page.keyboard.press("n")
    expect(page.locator("[data-now]")).to_have_text("Change 1 of 2")
    page.get_by_role("button", name="Next change").click()
    expect(page.locator("[data-now]")).to_have_text("Change 2 of 2")
    expect(page.locator("#change-2")).to_be_focused()
    page.keyboard.press("p")
    expect(page.locator("#change-1")).to_be_focused()
    page.locator("[data-keys-on]").uncheck()
    page.locator("h1").click()
    page.keyboard.press("n")
    expect(page.locator("[data-now]")).to_have_text("Change 1 of 2")
    page.locator("[data-keys-on]").check()
    page.locator(".compare-fold summary").click()
    expect(page.get_by_text("Rule number 1 says").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("link", name="Open version 1 here").first.click()
    expect(page.locator("#match")).to_contain_text("12 euros")


def test_a_version_is_restored_dates_are_set_and_a_reader_of_the_page_sees_it(
    visit: Callable[..., Any], site: Any, document: str, pictures: Path
) -> None:
    window = visit(viewport={"width": 1280, "height": 800})
    page = window.page
    page.goto(f"{window.url}/documents/{document}/versions/")
    page.get_by_role("button", name="Restore version 1").click()
    page.screenshot(path=pictures / "71-restore.png")
    page.get_by_role("button", name="Restore", exact=True).click()
    row = page.locator("[data-version='3']")
    expect(row).to_contain_text("restored from 1")
    expect(row).to_contain_text("Current")
    page.get_by_role("button", name="Restore version 1").click()
    page.get_by_role("button", name="Restore", exact=True).click()
    expect(page.locator("[data-status]")).to_have_text("Unchanged: already version 3.")
    with page.expect_file_chooser() as choosing:
        page.get_by_text("Upload a new version").click()
    choosing.value.set_files({"name": "again.md", "mimeType": "text/markdown", "buffer": text("12 euros")})
    expect(page.locator("[data-status]")).to_have_text("Unchanged: already version 3.")
    page.get_by_label("No longer valid from").fill("2020-03-01")
    page.get_by_role("button", name="Save the dates").click()
    expect(page.locator(".validity-badge")).to_have_text("no longer valid since 1 March 2020")
    page.screenshot(path=pictures / "72-versions.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.screenshot(path=pictures / "73-versions-360.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.screenshot(path=pictures / "74-versions-dark.png", full_page=True)
    page.goto(f"{window.url}/documents/?base={site.first_run['knowledge_base']}")
    expect(page.locator(f"[data-document='{document}'] .validity-badge")).to_have_text(
        "no longer valid since 1 March 2020"
    )
    page.screenshot(path=pictures / "75-list-dark.png")
    page.goto(f"{window.url}/documents/{document}/")
    expect(page.locator(".reader-head .validity-badge")).to_be_visible()
    page.screenshot(path=pictures / "76-reader-dark.png")
