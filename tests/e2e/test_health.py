"""The health page over a running product: all well, then a fault, in light, dark and on a narrow screen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]


def manage(site: Any, *command: str) -> str:
    environment = {**os.environ, "DATA_DIR": str(site.data_dir), "FOOTNOTE_TESTING": "0", "LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_health_is_one_line_until_something_is_wrong(visit: Callable[..., Any], site: Any, pictures: Path) -> None:
    from chatapp.operations.bench.client import Client, Upload

    assert " -> " in manage(site, "upkeep")
    window = visit(viewport={"width": 1280, "height": 900})
    page = window.page
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_text("Everything works.")).to_be_visible()
    expect(page.get_by_role("link", name="Health")).to_have_attribute("aria-current", "page")
    page.screenshot(path=pictures / "health-well.png", full_page=True)
    client = Client(url=site.url, key=site.first_run["api_key"])
    client.ingest(site.first_run["knowledge_base"], [Upload("broken.pdf", b"%PDF-1.7 nothing")], limit=60)
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("heading", name="1 thing needs attention")).to_be_visible()
    expect(page.get_by_text("1 document failed:")).to_be_visible()
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".health-jobs").first).to_contain_text("files")
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=pictures / "health.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=pictures / "health-narrow.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.screenshot(path=pictures / "health-dark.png", full_page=True)
