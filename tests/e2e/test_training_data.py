"""Training data in the browser: made from documents, reviewed by keys, frozen."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.timeout(300)]


def rules(topic: str) -> bytes:
    return "\n\n".join(
        f"## {topic.title()} hours {n}\n\nThe {topic} opens at {n + 6}:15 on day {n} and every member may enter with a"
        f" badge. Guests of the {topic} pay {n + 2}.50 euros at the desk beside the door."
        for n in range(1, 5)
    ).encode()


@pytest.fixture(scope="module")
def base(site: Any) -> str:
    from chatapp.operations.bench.client import Client, Upload

    client = Client(url=site.url, key=site.first_run["api_key"])
    made = client.knowledge_base("Opening hours")
    rows = client.ingest(
        made, [Upload(f"{name}.md", rules(name)) for name in ("sauna", "library", "garage")], limit=120
    )
    assert {row["status"] for row in rows} == {"ready"}
    return made


def shot(page: Any, path: Path) -> None:
    page.screenshot(path=path, full_page=True)


def test_rows_are_made_reviewed_by_keys_and_frozen(visit: Callable[..., Any], pictures: Path, base: str) -> None:
    window = visit(viewport={"width": 1280, "height": 900})
    page = window.page
    page.goto(f"{window.url}/models/data/")
    page.get_by_role("link", name="New dataset").click()
    page.get_by_label("Name").fill("Hours, short answers")
    page.get_by_label("Opening hours").check()
    page.get_by_label("What a model trained on it").fill("Short answers about opening hours.")
    page.get_by_role("button", name="Make the dataset").click()

    page.get_by_label("Passages, evenly").fill("12")
    page.get_by_role("button", name="Estimate").click()
    expect(page.get_by_text("a rule", exact=True)).to_be_visible()
    page.get_by_role("button", name="Make them").click()
    # The page follows the build by itself.
    expect(page.get_by_role("status").filter(has_text=re.compile("Done|Failed"))).to_contain_text(
        re.compile(r"Done: 1[0-2] rows proposed, 0 of them not held"), timeout=60_000
    )
    shot(page, pictures / "training-data.png")

    page.get_by_role("link", name=re.compile(r"Review 1\d rows")).click()
    expect(page.locator(".data-sources li.answers mark, .data-sources li").first).to_be_visible()
    shot(page, pictures / "training-review.png")
    first = page.locator(".data-question").inner_text()
    page.keyboard.press("j")
    expect(page.locator(".data-question")).not_to_have_text(first)
    page.keyboard.press("k")
    expect(page.locator(".data-question")).to_have_text(first)
    page.keyboard.press("a")
    expect(page.get_by_role("link", name="Approved (1)")).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_role("link", name="Rejected (1)")).to_be_visible()
    box = page.get_by_label("What the model learns to answer")
    box.fill("It opens at 99:99 for nobody [S1].")
    page.get_by_role("button", name="Save and check").click()
    expect(page.get_by_text("Not held by its sources: cannot be approved")).to_be_visible()
    shot(page, pictures / "training-flagged.png")

    page.locator("p.m-quiet a", has_text="Hours, short answers").click()
    page.get_by_role("button", name="Approve all unflagged").click()
    expect(page.get_by_text(re.compile(r"\d+ rows were approved"))).to_be_visible()
    page.get_by_role("link", name="Freeze…").click()
    page.get_by_role("button", name="Freeze it").click()
    # A worker checks everything once more; the page of the dataset follows it.
    status = page.get_by_role("status")
    expect(status).to_contain_text("Version 1 is frozen. A training can use it from now on.", timeout=60_000)
    status.get_by_role("link", name="See version 1").click()
    expect(page.get_by_text(re.compile("SHA-256 of its approved rows: [0-9a-f]{64}"))).to_be_visible()
    shot(page, pictures / "training-version.png")
    address = page.url.partition("versions/")[0]

    page.goto(f"{address}upload")
    lines = '{"prompt": "When is the sauna closed?", "completion": "Never."}\n{"prompt": "And the library?"}\n'
    page.get_by_label(re.compile("^File, UTF-8")).set_input_files(
        {"name": "more.jsonl", "mimeType": "application/x-ndjson", "buffer": lines.encode()}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_contain_text(
        "Done: 1 row proposed, 0 of them not held by their sources.", timeout=60_000
    )
    expect(page.get_by_role("row", name="2 “completion” is missing.")).to_be_visible()
    shot(page, pictures / "training-file.png")

    narrow = visit(viewport={"width": 360, "height": 740}, color_scheme="dark")
    for name, path in (
        ("dataset", address),
        ("row", f"{address}review?state=approved"),
        ("upload", f"{address}upload"),
    ):
        narrow.page.goto(path)
        wide = narrow.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, (name, wide)
        shot(narrow.page, pictures / f"training-{name}-narrow-dark.png")
