"""A model is trained in the browser: chosen, reckoned, started, watched to its end, by the product's own worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_llama
from playwright.sync_api import expect
from training_world import ROOT, pairs

pytestmark = [pytest.mark.timeout(420)]

PREPARE = """
import sys, django
django.setup()
from pathlib import Path
from chatapp.finetuning.training.bases import add_base
from knowledge.tenants.models import Tenant
from training_world import frozen_version
tenant = Tenant.objects.get(slug=sys.argv[1])
frozen_version(tenant, train=24, held_out=4)
add_base(Path(sys.argv[2]), "Tiny Llama", tenant)
"""


@pytest.fixture(scope="module")
def prepared(site: Any, tmp_path_factory: pytest.TempPathFactory, missing_part: Callable[..., Any]) -> None:
    """Rows that are frozen, and a model to train from."""
    from chatapp.finetuning.training import extra

    if not extra.installed():
        missing_part("The extra `train`", "make run TRAIN=1")
    folder = tiny_llama.make(
        tmp_path_factory.mktemp("base") / "llama", [" ".join(pair) for pair in pairs(28)], window=256
    )
    environment = {**os.environ, "DATA_DIR": str(site.data_dir), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}"}
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, site.first_run["tenant"], str(folder)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("prepared")
def test_a_run_is_reckoned_started_and_watched_to_its_end(visit: Callable[..., Any], pictures: Path) -> None:
    window = visit(viewport={"width": 1100, "height": 1000})
    page = window.page
    page.goto(f"{window.url}/models/training/")
    page.get_by_role("link", name="New run").click()
    # The site is shared: other tests left data and models of their own.
    with page.expect_navigation():
        page.get_by_label("Training data").select_option(label="Widgets, version 1")
    with page.expect_navigation():
        there = page.get_by_label("Base model").locator("option", has_text="Tiny Llama")
        page.get_by_label("Base model").select_option(value=there.get_attribute("value"))
    expect(page.get_by_text("Style only, experimental.")).to_be_visible()
    with page.expect_navigation():  # another method has other defaults
        page.get_by_role("radio", name=re.compile("^Full fine-tuning")).check()
    expect(page.get_by_label("Learning rate")).to_have_attribute("placeholder", "2e-05")
    page.get_by_label("Learning rate").fill("0.01")
    page.get_by_label("Passes over the rows").fill("20")
    page.get_by_role("button", name="Reckon again").click()
    expect(page.get_by_role("region", name="What it will take")).to_contain_text("Steps120")
    expect(page.get_by_label("Passes over the rows")).to_have_value("20")
    page.screenshot(path=pictures / "training-new.png", full_page=True)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url(re.compile(r"/models/training/[0-9a-f-]{36}/$"))
    expect(page.get_by_role("status")).to_contain_text(re.compile("Waiting|Reading|Training|prepared"))
    expect(page.locator("fn-curve svg")).to_be_visible(timeout=120_000)
    page.screenshot(path=pictures / "training-live.png", full_page=True)
    expect(page.get_by_role("status")).to_contain_text("Done.", timeout=120_000)
    expect(page.get_by_role("region", name="What it says to held-out prompts")).to_contain_text("At step 120")
    expect(page.get_by_text("version 1", exact=True)).to_be_visible()
    page.screenshot(path=pictures / "training-done.png", full_page=True)
    assert page.locator("fn-curve circle.held").count() == 5  # before the training, and four times in it
    if os.environ.get("E2E_PICTURES"):
        _other_looks(visit, page.url, pictures)


def _other_looks(visit: Callable[..., Any], address: str, pictures: Path) -> None:
    """Pictures for people, of a telephone and of the dark."""
    for name, options in (
        ("narrow", {"viewport": {"width": 360, "height": 800}}),
        ("dark", {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"}),
    ):
        page = visit(**options).page
        for path, part in ((address, "run"), (address.rpartition("/models")[0] + "/models/training/new/", "new")):
            page.goto(path)
            if part == "run":
                page.locator("fn-curve svg").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, part)
            page.screenshot(path=pictures / f"training-{part}-{name}.png", full_page=True)
