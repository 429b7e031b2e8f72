"""Assistants in a browser: one that writes objects and one that answers from training, asked in the chat."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

SCHEMA = {
    "type": "object",
    "properties": {
        "rule": {"type": "string"}, "exceptions": {"type": "integer"},
        "formats": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "note": {"type": "string"}}}},
    },
    "required": ["rule"],
}  # fmt: skip
WRITTEN = json.dumps(
    {
        "rule": "Every file becomes text with its places [S1]. It is **kept** as it came.",
        "exceptions": 2,
        "formats": [{"name": "PDF", "note": "with its pages"}, {"name": "Word", "note": "with its headings"}],
    }
)


def fill(page: Any, *, name: str, mode: str, schema: str = "") -> None:
    page.goto(page.url.split("/models")[0].rstrip("/") + "/models/assistants/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label(mode).check()
    page.get_by_label("Model", exact=True).select_option(label="openai/scripted-cite")
    page.get_by_label("JSON Schema of the answer").fill(schema)


def shot(page: Any, pictures: Path, name: str) -> None:
    if "E2E_PICTURES" in os.environ:  # for people to look at; each takes a second
        page.wait_for_timeout(300)  # colours and drawers move for a while
        page.screenshot(path=pictures / f"{name}.png", full_page=True)


def everywhere(page: Any, pictures: Path, name: str) -> None:
    """Keep pictures in light, dark and on a telephone; nothing may stand out to the side."""
    shot(page, pictures, f"{name}-light")
    page.emulate_media(color_scheme="dark")
    shot(page, pictures, f"{name}-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 360, "height": 760})
    shot(page, pictures, f"{name}-360")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    page.set_viewport_size({"width": 1280, "height": 800})


@pytest.mark.timeout(300)
def test_assistants_are_made_and_asked(visit: Any, scripted_model: Any, pictures: Path, site: Any) -> None:
    window = visit()
    page = window.page
    scripted_model.script([WRITTEN], model="scripted-cite")
    try:
        fill(page, name="Objects", mode="From your documents", schema='{"type": "array"}')
        page.get_by_role("button", name="Add the assistant").click()
        expect(page.get_by_role("alert")).to_contain_text("must be of an object")
        page.get_by_label("JSON Schema of the answer").fill(json.dumps(SCHEMA, indent=2))
        everywhere(page, pictures, "assistant-form")
        page.get_by_role("button", name="Add the assistant").click()
        expect(page.get_by_text("The assistant “Objects” is there")).to_be_visible()
        fill(page, name="Trained", mode="From the model’s training")
        page.get_by_role("button", name="Add the assistant").click()
        expect(page.get_by_text("the model’s training, nothing is searched")).to_be_visible()
        everywhere(page, pictures, "assistants")

        page.goto(f"{site.url}/")
        page.get_by_label("Assistant", exact=True).select_option(label="Objects")
        answer = window.ask("Which file formats can I upload?")
        assert window.settled(answer) == "done"
        expect(answer.locator("dt").first).to_have_text("Rule")
        expect(answer.locator(".object-table tbody tr")).to_have_count(2)
        expect(answer.locator(".chip")).to_have_count(1)
        expect(answer.locator("dd .badge").first).to_be_visible()
        assert "{" not in answer.locator(".answer-body").inner_text()
        everywhere(page, pictures, "object-answer")

        scripted_model.script(
            ["The house takes **PDF** and Word [S1]. ", "Ask the desk for others."], model="scripted-cite"
        )
        page.get_by_label("Assistant", exact=True).select_option(label="Trained (from training)")
        expect(page.locator("fn-bases")).to_be_hidden()
        answer = window.ask("Which file formats do you take?")
        assert window.settled(answer) == "done"
        expect(answer.locator(".answer-mode")).to_contain_text("No sources were searched; nothing here was checked.")
        expect(answer.locator(".chip, .badge")).to_have_count(0)
        everywhere(page, pictures, "trained-answer")
        page.reload()
        expect(page.locator(".answer-mode.unsourced")).to_be_visible()
        expect(page.locator(".object-fields dt").first).to_have_text("Rule")
        expect(page.get_by_label("Assistant", exact=True)).to_have_value("trained")
        page.locator(".message.answer").last.get_by_role("link", name="How this answer came about").click()
        expect(page.get_by_text("Nothing: the assistant answers from its model’s training.")).to_be_visible()
        everywhere(page, pictures, "trained-trace")
        for name in ("objects", "trained"):
            page.goto(f"{site.url}/models/assistants/{name}/delete")
            page.get_by_role("button", name="Delete").click()
    finally:
        scripted_model.reset()  # others of the session ask the same name
