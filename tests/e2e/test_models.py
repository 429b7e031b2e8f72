"""The catalogue in the browser: a model is added, refused, tested, and found again in the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.timeout(300)]

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"},
    "360": {"viewport": {"width": 360, "height": 780}, "color_scheme": "light"},
}


def test_a_model_is_added_tested_and_listed(visit: Callable[..., Any], pictures: Path, script: Any) -> None:
    window = visit(**LOOKS["light"])
    page = window.page
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="openai/scripted-cite")).to_be_visible()
    page.get_by_role("link", name="Add a model").click()
    page.get_by_role("link", name="OpenAI-compatible server").click()
    page.get_by_label("Model", exact=True).fill("scripted able")
    page.get_by_role("textbox", name="Address").fill(script.url)
    page.get_by_label("API key").fill("a-key-that-stays-here")
    page.get_by_role("button", name="Add the model").click()
    expect(page.get_by_role("alert")).to_contain_text("can’t be the name of a model")
    expect(page.get_by_role("textbox", name="Address")).to_have_value(script.url)
    expect(page.get_by_label("API key")).to_have_value("")
    page.screenshot(path=pictures / "models-refused.png", full_page=True)

    page.get_by_label("Model", exact=True).fill("scripted-able-ms-20")
    page.get_by_label("Name (optional)").fill("Clerk")
    page.get_by_label("API key").fill("a-key-that-stays-here")
    page.get_by_label("Price of a million tokens in").fill("0.25")
    page.get_by_label("Price of a million tokens out").fill("2")
    page.get_by_role("button", name="Add the model").click()
    expect(page.get_by_text("“Clerk” is added.")).to_be_visible()
    address = page.url
    expect(page.get_by_label("Facts")).to_contain_text("API keyset")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("The model answers.")).to_be_visible()
    for trial, words in (("hello", "It streams"), ("json", "keeps to a schema"), ("citations", "2 of 2 sentences")):
        expect(page.locator(f'[data-trial="{trial}"]')).to_contain_text(words)
    page.get_by_role("link", name="Models").last.click()
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Clerk"))
    expect(card).to_contain_text("works")
    expect(card).to_contain_text("$0.25 in, $2.00 out")

    for name, look in LOOKS.items():
        seen = visit(**look).page
        for part, path in (("list", "/models/"), ("choose", "/models/new/"), ("form", "/models/new/ollama/")):
            seen.goto(f"{window.url}{path}")
            seen.screenshot(path=pictures / f"models-{part}-{name}.png", full_page=True)
            width = seen.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert width == 0, (part, name)
        seen.goto(address)
        seen.screenshot(path=pictures / f"models-one-{name}.png", full_page=True)

    page.goto(f"{address}delete")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("“Clerk” is deleted.")).to_be_visible()
