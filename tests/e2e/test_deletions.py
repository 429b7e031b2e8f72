"""A document is deleted on the documents page, and the report of it says what became of every place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from chatapp.operations.bench.client import Client, Upload

SIZES = ((1280, "light"), (1280, "dark"), (360, "dark"), (360, "light"))


pytestmark = [pytest.mark.timeout(300)]


@pytest.fixture
def shed(site: Any) -> str:
    """A base with one document that an answer quoted."""
    client = Client(url=site.url, key=site.first_run["api_key"])
    base = client.knowledge_base("shed")
    client.ingest(base, [Upload("shed.md", b"# Shed\n\nThe shed opens at 7 in the morning.\n")], limit=120)
    client.ask("When does the shed open?", [base])
    return base


def test_deleted_document_has_a_report_that_people_understand(
    visit: Callable[..., Any], shed: str, pictures: Path
) -> None:
    window = visit()
    page = window.page
    page.goto(f"{window.url}/documents/?base={shed}")
    page.get_by_role("button", name="Delete shed.md").click()
    dialog = page.get_by_role("dialog", name="Delete this document?")
    dialog.get_by_label("Reason (optional)").fill("The shed was torn down")
    expect(dialog.get_by_role("checkbox", name="Keep its title in the list of deleted documents")).to_be_checked()
    page.screenshot(path=pictures / "deletion-dialog.png")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator("tr[data-document]")).to_have_count(0)
    window.errors.clear()  # the browser notes the 404 by which the page hears that the document is gone

    page.get_by_role("link", name="Deleted documents").click()
    row = page.get_by_role("listitem").filter(has_text="shed.md")
    for _ in range(60):
        if "Gone" in row.inner_text():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(row).to_contain_text("Gone")
    for width, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=pictures / f"deletions-{width}-{scheme}.png")

    page.keyboard.press("Tab")
    row.get_by_role("link").press("Enter")
    expect(page.get_by_role("heading", name="shed.md")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("What answers quoted is kept until it is erased")
    expect(page.get_by_text("The shed was torn down")).to_be_visible()
    expect(page.get_by_text("Right: nobody has changed this report.")).to_be_visible()
    for width, scheme in SIZES:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.screenshot(path=pictures / f"deletion-{width}-{scheme}.png", full_page=True)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download as JSON").click()
    facts = json.loads(Path(download.value.path()).read_text())
    counts = {p["place"]: (p["before"], p["after"]) for p in facts["places"]}
    assert (counts["records"], counts["answers"]) == ((1, 0), (1, 1))
