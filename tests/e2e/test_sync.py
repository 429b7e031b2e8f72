"""A folder that people keep changing: added as a source, tried dry, synced, changed, emptied in part."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.timeout(400)]

ENDED = re.compile("Ended|Failed|gone")


@pytest.fixture
def handbook(shared: Path) -> Iterator[Path]:
    folder = shared / "handbook"
    folder.mkdir()
    (folder / "pool.md").write_text("# Pool\n\nThe pool opens at six in the morning.\n")
    (folder / "sauna.md").write_text("# Sauna\n\nThe sauna is heated on Thursdays.\n")
    (folder / "lawn.md").write_text("# Lawn\n\nThe lawn is mown every second week.\n")
    return folder


def run(page: Any, button: str) -> str:
    """Press a button that starts a run, and return how the run ended."""
    page.get_by_role("button", name=re.compile(f"^{button}")).click()
    state = page.get_by_role("status").filter(has_text=ENDED)
    expect(state).to_be_visible()
    return str(state.inner_text())


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def pictured(page: Any, folder: Path, name: str) -> None:
    """Take the page in light, in dark, and on a telephone, where nothing may stick out."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(300)  # colours change in 120 ms
        page.screenshot(path=folder / f"sync-{name}-{scheme}.png", full_page=True)
    page.set_viewport_size({"width": 360, "height": 740})
    assert fits(page), name
    page.screenshot(path=folder / f"sync-{name}-360.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 860})


def answers(site: Any, question: str) -> list[str]:
    """The texts that a search finds."""
    status, found = site.call(
        "POST", "/search", {"query": question, "knowledge_bases": [site.first_run["knowledge_base"]]}
    )
    assert status == 200, found
    return [passage["text"] for passage in found["passages"]]


def ready(site: Any, version: dict[str, int]) -> None:
    """Wait until the documents of the folder are ready, each in that version."""
    base = site.first_run["knowledge_base"]
    for _ in range(240):
        rows = site.call("GET", f"/knowledge-bases/{base}/documents?limit=200")[1]["items"]
        found = {
            row["title"]: row["version"]
            for row in rows
            if row["metadata"].get("source") == "Handbook" and row["status"] == "ready"
        }
        if found == version:
            return
        time.sleep(0.25)
    pytest.fail(f"{found} instead of {version}")


def test_a_folder_is_kept_up_to_date(visit: Any, site: Any, handbook: Path, pictures: Path) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    page.goto(f"{site.url}/documents/?base={site.first_run['knowledge_base']}")
    page.locator(".documents-table tbody tr").first.wait_for()
    page.get_by_role("link", name="Sources", exact=True).click()
    page.get_by_label("New source").select_option("folder")
    page.get_by_role("button", name="Add").click()
    page.get_by_label("Name", exact=True).fill("Handbook")
    page.get_by_label("Folder", exact=True).fill("/etc")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The folder does not lie in one that is open to sources")).to_be_visible()
    page.get_by_label("Folder", exact=True).fill(str(handbook))
    page.get_by_label("When").select_option("days")
    page.get_by_label("At", exact=True).select_option("3")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The source can be reached")).to_be_visible()
    pictured(page, pictures, "form")
    page.get_by_role("button", name="Add the source").click()
    expect(page.get_by_text("Never run.")).to_be_visible()

    assert "3 would be added" in run(page, "Dry run")
    pictured(page, pictures, "dry")
    assert "3 added" in run(page, "Run now")
    ready(site, {"pool.md": 1, "sauna.md": 1, "lawn.md": 1})
    assert "six in the morning" in answers(site, "When does the pool open?")[0]

    (handbook / "pool.md").write_text("# Pool\n\nThe pool opens at half past eight.\n")
    (handbook / "lawn.md").unlink()
    page.get_by_role("link", name="Handbook").click()
    expect(page.get_by_role("row").filter(has_text="3 added")).to_be_visible()
    assert "1 changed, 1 withdrawn, 1 unchanged" in run(page, "Run now")
    pictured(page, pictures, "run")
    ready(site, {"pool.md": 2, "sauna.md": 1})
    assert "half past eight" in answers(site, "When does the pool open?")[0]
    assert not any("second week" in text or "six in" in text for text in answers(site, "pool lawn mown opens"))
    page.get_by_role("link", name="Handbook").click()
    assert "2 unchanged" in run(page, "Run now")

    page.get_by_role("link", name="Handbook").click()
    pictured(page, pictures, "source")
    page.get_by_role("link", name="Sources of").click()
    expect(page.get_by_text("In order.")).to_be_visible()
    pictured(page, pictures, "list")

    page.get_by_role("link", name="Handbook").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_label(re.compile("Withdraw the documents")).check()
    pictured(page, pictures, "delete")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status").filter(has_text="2 withdrawn")).to_be_visible()
    ready(site, {})


def test_the_form_of_every_kind_fits_a_telephone(visit: Any, site: Any, pictures: Path) -> None:
    page = visit(viewport={"width": 360, "height": 740}).page
    page.goto(f"{site.url}/documents/sources/")
    kinds = page.get_by_label("New source").locator("option").evaluate_all("all => all.map((one) => one.value)")
    assert {"folder", "website", "git", "s3", "feed"} <= set(kinds)
    for kind in kinds:
        page.goto(f"{site.url}/documents/sources/new?base={site.first_run['knowledge_base']}&kind={kind}")
        page.get_by_role("button", name="Add the source").wait_for()
        assert fits(page), kind
        page.screenshot(path=pictures / f"sync-new-{kind}-360.png", full_page=True)
