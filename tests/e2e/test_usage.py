"""Usage and budgets in the browser: what an answer used is listed; a budget is refused, set, seen and removed."""

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


def test_a_budget_is_set_seen_and_removed(visit: Callable[..., Any], pictures: Path) -> None:
    window = visit(**LOOKS["light"])
    page = window.page
    window.settled(window.ask("Which file formats can I upload?"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models").click()
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("region", name="By purpose")).to_contain_text("Answer")
    page.get_by_text("Set a budget").press("Enter")
    page.get_by_role("button", name="Set the budget").click()
    expect(page.get_by_role("alert")).to_have_text("Say how many US dollars or tokens may be used.")
    page.get_by_label("Tokens").fill("900000000")
    page.get_by_role("button", name="Set the budget").click()
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="The whole organisation"))
    expect(card).to_contain_text("of 900,000,000 tokens used in")
    for name, look in LOOKS.items():
        seen = visit(**look).page
        seen.goto(f"{window.url}/models/usage/")
        seen.screenshot(path=pictures / f"usage-{name}.png", full_page=True)
        width = seen.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, name
    card.get_by_role("button", name="Remove the budget of the organisation").click()
    expect(page.get_by_text("There is no budget")).to_be_visible()
