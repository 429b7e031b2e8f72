"""Labelling checked sentences by keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from scripted_replies import tokens

pytestmark = [pytest.mark.timeout(300)]

RULES = (
    "# Sauna\n\nThe sauna is heated on Thursdays from six in the evening. Towels are lent at the desk for two euro.\n"
)


def test_a_sentence_is_labelled_by_a_key_and_taken_back(
    visit: Callable[..., Any], site: Any, script: Any, pictures: Path
) -> None:
    from chatapp.operations.bench.client import Client, Upload

    client = Client(url=site.url, key=site.first_run["api_key"])
    client.ingest(site.first_run["knowledge_base"], [Upload("sauna.md", RULES.encode())], limit=120)
    script.script(
        tokens("On Thursdays the sauna gets warm in the evening [S1]. Towels cost nine euro [S1]."),
        model="scripted-cite",
    )
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    assert window.settled(window.ask("When is the sauna heated?")) == "done"
    page.goto(f"{site.url}/documents/")
    page.get_by_role("link", name="Label checked sentences").click()
    sentence = page.locator(".label-sentence")
    first = sentence.inner_text()
    expect(page.locator(".label-source mark").first).to_be_visible()
    assert "ound in the source" not in page.locator(".label-card").first.inner_text()
    page.screenshot(path=pictures / "labels.png", full_page=True)
    page.keyboard.press("2")
    page.get_by_role("button", name="Take back my last label (not supported)").wait_for()
    expect(page.get_by_text("Not supported: 1")).to_be_visible()
    assert sentence.count() == 0 or sentence.inner_text() != first
    page.keyboard.press("u")
    expect(sentence).to_have_text(first)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=pictures / "labels-narrow-dark.png", full_page=True)
