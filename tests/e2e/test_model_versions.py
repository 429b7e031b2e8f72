"""Versions of a fine-tuned model and model servers in the browser: promoted, tried on a share, gone back from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.timeout(420)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def versions(site: Any, _scripted_session: Any) -> dict[str, str]:
    environment = {
        **os.environ, **site.environment, "DATA_DIR": str(site.data_dir), "FOOTNOTE_TESTING": "0",
        "DJANGO_SETTINGS_MODULE": "chatapp.settings", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "support" / "tuned_world.py"), _scripted_session.url],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_version_is_tried_promoted_and_gone_back_from(
    visit: Callable[..., Any], pictures: Path, versions: dict[str, str]
) -> None:
    window = visit(viewport={"width": 1100, "height": 900})
    page = window.page
    page.goto(f"{window.url}/models/versions/")
    card = page.get_by_role("listitem").filter(has_text="Ferry answers on Tiny")
    expect(card).to_contain_text("Version 1")
    page.screenshot(path=pictures / "model-versions.png", full_page=True)
    card.get_by_role("link", name="Version 2").click()
    expect(page.get_by_text("Nothing fell against its base.")).to_be_visible()
    page.screenshot(path=pictures / "model-version.png", full_page=True)

    page.get_by_label("Share of conversations it answers, percent").fill("20")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Answers 20 % of conversations").first).to_be_visible()
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("Version 2 answers from now on")).to_be_visible()
    expect(page.get_by_role("list").filter(has_text="Promoted after its evaluation.")).to_be_visible()
    page.get_by_role("link", name="Fine-tuned models").click()
    page.get_by_role("button", name="Go back to version 1").click()
    expect(page.get_by_text("Version 1 answers again.")).to_be_visible()

    page.get_by_role("link", name="Servers").click()
    page.get_by_text("With vLLM").first.click()
    expect(page.get_by_text("--max-lora-rank 16").first).to_be_visible()
    page.screenshot(path=pictures / "model-servers.png", full_page=True)

    dark = visit(viewport={"width": 360, "height": 780}, color_scheme="dark")
    for name, path in (
        ("version", f"versions/{versions['version2']}/"),
        ("versions", "versions/"),
        ("servers", "servers/"),
    ):
        dark.page.goto(f"{dark.url}/models/{path}")
        dark.page.screenshot(path=pictures / f"model-{name}-360-dark.png", full_page=True)
        wide = dark.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, name
