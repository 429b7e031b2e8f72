"""A new search index: built, followed, compared, used, and gone back from, in the browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.timeout(420)]

QUESTIONS = (
    "question;document;quote\n"
    "What is the rule number 7 of the ferry?;ferry.md;ferry rule number 7 is\n"
    "What is the rule number 3 of the sauna?;sauna.md;sauna rule number 3 is\n"
)


def rules(topic: str) -> bytes:
    """A document of forty short sections."""
    return "\n\n".join(
        f"## {topic} part {n}\n\nThe {topic} rule number {n} is explained here. It was written by the office and is read"
        f" aloud to everybody who asks for it, {n + 2} times a year, at the desk beside the {topic}."
        for n in range(40)
    ).encode()


@pytest.fixture(scope="module")
def base(site: Any) -> str:
    """A knowledge base of six documents, of which one question was asked."""
    from chatapp.operations.bench.client import Client, Upload

    client = Client(url=site.url, key=site.first_run["api_key"])
    made = client.knowledge_base("Rules")
    names = ("ferry", "sauna", "garden", "library", "garage", "kitchen")
    rows = client.ingest(made, [Upload(f"{name}.md", rules(name)) for name in names], limit=180)
    assert {row["status"] for row in rows} == {"ready"}
    client.ask("What is the rule number 7 of the ferry?", [made])
    return made


def in_use(page: Any) -> Any:
    return page.get_by_role("region", name="In use", exact=True)


def test_an_index_is_built_compared_used_and_gone_back_from(
    visit: Callable[..., Any], pictures: Path, base: str
) -> None:
    window = visit(viewport={"width": 1100, "height": 900})
    page = window.page
    page.goto(f"{window.url}/documents/?base={base}")
    expect(page.get_by_role("link", name="ferry.md", exact=True)).to_be_visible()
    page.get_by_role("link", name="Search index").click()
    page.wait_for_url(f"**/documents/indexes/?base={base}")
    expect(in_use(page)).to_contain_text("6 of 6")
    expect(in_use(page)).to_contain_text("structural")
    page.screenshot(path=pictures / "indexes.png", full_page=True)

    page.get_by_label("By length").check()
    page.get_by_label("Size of a passage, characters").fill("300")
    page.get_by_role("button", name="Build").click()
    expect(page.get_by_text("The new index is being built.")).to_be_visible()
    bar = page.get_by_role("progressbar", name="Documents indexed")
    expect(bar).to_be_visible()
    page.get_by_label("Size of a passage, characters").fill("777")  # what is typed meanwhile stays
    page.screenshot(path=pictures / "indexes-building.png", full_page=True)
    ready = page.get_by_role("region", name="Ready, not in use")
    expect(ready).to_be_visible(timeout=180_000)  # without a reload
    assert page.get_by_label("Size of a passage, characters").input_value() == "777"
    expect(bar).to_have_count(0)
    expect(in_use(page)).to_contain_text("structural")

    ready.get_by_text("Compare", exact=True).focus()
    page.keyboard.press("Enter")
    ready.get_by_role("button", name="Compare now").click()
    result = page.get_by_role("region", name="Compared")
    expect(result).to_contain_text(re.compile(r"Both find the same passage first for \d of 1 question"))
    ready.get_by_label("Questions with their answers").set_input_files(
        {"name": "questions.csv", "mimeType": "text/csv", "buffer": QUESTIONS.encode()}
    )
    ready.get_by_role("button", name="Compare now").click()
    expect(result).to_contain_text(re.compile(r"The new index finds the right passage first for \d of 2 questions"))
    page.screenshot(path=pictures / "indexes-compared.png", full_page=True)

    ready.get_by_text("Use this index", exact=True).click()
    expect(ready).to_contain_text("everybody’s searches and answers use this index")
    ready.get_by_role("button", name="Use it now").click()
    expect(in_use(page)).to_contain_text("fixed:target=300")
    expect(page.get_by_text("The settings now choose the chunker structural")).to_be_visible()
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=pictures / "indexes-dark.png", full_page=True)
    address = page.url
    page.goto(f"{window.url}/")
    assert window.settled(window.ask("What is the rule number 5 of the garden?")) == "done"
    page.goto(address)

    page.set_viewport_size({"width": 360, "height": 740})
    kept = page.get_by_role("region", name="Kept for going back")
    kept.get_by_text("Go back to this index", exact=True).click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=pictures / "indexes-narrow-dark.png", full_page=True)
    kept.get_by_role("button", name="Go back now").click()
    expect(in_use(page)).to_contain_text("structural")
    kept.get_by_text("Remove", exact=True).click()
    kept.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("The index is being removed.")).to_be_visible()
    expect(page.locator("[data-index]")).to_have_count(1, timeout=60_000)
    page.emulate_media(color_scheme="light")
    page.screenshot(path=pictures / "indexes-narrow.png", full_page=True)
