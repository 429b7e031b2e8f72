"""How a version was read, in a real browser: the outlines of its blocks lie over their words."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_files import pdf_of_lines
from playwright.sync_api import expect

from chatapp.operations.bench.client import Client, Upload

pytestmark = [pytest.mark.timeout(300)]

LINE = 14
LETTERS = """(words) => {
  const nodes = document.createTreeWalker(document.querySelector(".pdf-text"), NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    const at = node.data.indexOf(words);
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(node, at);
    range.setEnd(node, at + words.length);
    const box = range.getBoundingClientRect();
    return [box.left, box.top, box.right, box.bottom];
  }
  return null;
}"""
BOX = "(one) => { const box = one.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; }"


def columns(page: int) -> list[tuple[float, float, str]]:
    """Two columns of paragraphs with a gap after every fifth line."""
    lines = []
    for x, name in ((72.0, "left"), (320.0, "right")):
        for row in range(40):
            words = f"Page {page} {name} row {row} goes on and on in here,"
            if row % 5 != 4:
                lines.append((x, 720 - LINE * row, words if row % 5 != 3 else f"until row {row} {name} {page} ends."))
    return lines


def notice() -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (900, 300), "white")
    font = ImageFont.load_default(40)
    for row, words in enumerate(["The water is turned off", "on Friday from nine to noon."]):
        ImageDraw.Draw(picture).text((60, 60 + 70 * row), words, fill="black", font=font)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def ids(site: Any) -> dict[str, str]:
    """Documents of the running product by their names: a paper with an empty page, a picture, a broken file."""
    client = Client(url=site.url, key=site.first_run["api_key"])
    base = site.first_run["knowledge_base"]
    paper = pdf_of_lines([columns(1), columns(2), [], columns(4)])
    files = {"preview.pdf": paper, "broken.pdf": b"%PDF-1.4\nnothing else", "notice.png": notice()}
    for name, data in files.items():
        try:
            client.ingest(base, [Upload(name, data)], limit=180)
        except Exception:  # the broken one fails, which is what it is here for
            assert name != "preview.pdf"
    status, body = client.raw("GET", f"/knowledge-bases/{base}/documents?limit=100")
    assert status == 200
    return {row["title"]: row["id"] for row in json.loads(body)["items"]}


def open_page(page: Any, url: str) -> None:
    page.goto(url)
    page.locator(".pdf-page canvas").wait_for()
    page.locator(".pdf-text span").first.wait_for()
    page.locator("[data-outline]").first.wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_outlines_lie_over_the_words_of_their_blocks(
    visit: Callable[..., Any], ids: dict[str, str], pictures: Path, scheme: str
) -> None:
    window = visit(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page = window.page
    open_page(page, f"{window.url}/documents/{ids['preview.pdf']}/v/1/reading?page=2")
    page.screenshot(path=pictures / f"40-reading-{scheme}.png")
    assert page.locator(".pdf-page").count() == 1
    checked = 0
    for item in page.locator(".block:has(.block-text)").all()[:12]:
        words = item.locator(".block-text").inner_text()
        block = item.get_attribute("data-block")
        line = next((f"Page 2 {name} row {row}" for name in ("left", "right") for row in range(40)
                     if f"Page 2 {name} row {row} " in words), None)  # fmt: skip
        if line is None:
            continue
        letters = page.evaluate(LETTERS, f"{line} goes on")
        box = page.locator(f"[data-outline='{block}']").evaluate(BOX)
        assert abs(box[0] - letters[0]) < 4, (box, letters)
        assert box[1] - 4 < (letters[1] + letters[3]) / 2 < box[3] + 4, (box, letters)
        assert box[2] > letters[2] - 4
        checked += 1
    assert checked >= 6
    # No outline reaches into the other column.
    middle = page.evaluate(LETTERS, "Page 2 right row 0 goes on")[0]
    for outline in page.locator(".block-outline").all():
        left, _, right, _ = outline.evaluate(BOX)
        assert right < middle or left > middle - 6


def test_a_block_and_its_outline_light_each_other(visit: Callable[..., Any], ids: dict[str, str]) -> None:
    window = visit(viewport={"width": 1440, "height": 900})
    page = window.page
    open_page(page, f"{window.url}/documents/{ids['preview.pdf']}/reading")
    item = page.locator(".block").nth(1)
    outline = page.locator(f"[data-outline='{item.get_attribute('data-block')}']")
    item.hover()
    expect(outline).to_have_class("block-outline kind-paragraph lit")
    page.mouse.move(2, 2)
    expect(outline).to_have_class("block-outline kind-paragraph")
    item.focus()
    page.keyboard.press("Enter")
    expect(outline).to_be_focused()
    expect(item).to_have_class("block kind-paragraph lit")
    page.keyboard.press("Enter")
    expect(item).to_be_focused()


def test_pages_are_chosen_from_the_strip_and_the_list_of_those_to_look_at(
    visit: Callable[..., Any], site: Any, ids: dict[str, str]
) -> None:
    window = visit(viewport={"width": 1440, "height": 900})
    page = window.page
    page.goto(f"{window.url}/documents/?base={site.first_run['knowledge_base']}")
    page.get_by_role("link", name="How preview.pdf was read").click()
    page.get_by_role("heading", name="Page 1 of 4").wait_for()
    page.get_by_role("region", name="Look at these pages").get_by_role("link", name="Page 3").click()
    expect(page.get_by_text("No text was read on this page.")).to_be_visible()
    page.locator(".pdf-page canvas").wait_for()
    page.locator(".strip a").nth(3).click()
    page.get_by_role("heading", name="Page 4 of 4").wait_for()
    page.locator("[data-outline]").first.wait_for()
    assert page.locator(".cut.begin").count() >= 1


def test_a_document_that_failed_says_why(visit: Callable[..., Any], ids: dict[str, str]) -> None:
    window = visit()
    page = window.page
    page.goto(f"{window.url}/documents/{ids['broken.pdf']}/reading")
    expect(page.get_by_role("alert")).to_contain_text("The PDF is damaged and could not be opened.")
    expect(page.get_by_role("alert")).to_contain_text("Upload a readable file")


def test_a_picture_has_its_outlines_and_its_words_lit(
    visit: Callable[..., Any], ids: dict[str, str], pictures: Path, missing_part: Callable[[str, str], Any]
) -> None:
    from knowledge.parsing.ocr import available

    if not available():
        missing_part("Text recognition", "pip install rapidocr onnxruntime")
    window = visit(viewport={"width": 1440, "height": 900})
    page = window.page
    page.goto(f"{window.url}/documents/{ids['notice.png']}/reading")
    page.locator("[data-outline]").first.wait_for()
    frame = page.locator(".picture-page img").evaluate(BOX)
    assert page.locator(".picture-page img").evaluate("(img) => img.naturalWidth") == 900
    scale = (frame[2] - frame[0]) / 900
    box = page.locator("[data-outline]").first.evaluate(BOX)
    assert abs((box[0] - frame[0]) / scale - 60) < 25
    assert 40 < (box[1] - frame[1]) / scale < 90
    page.screenshot(path=pictures / "41-reading-picture.png")
    page.goto(f"{window.url}/documents/{ids['notice.png']}/?find=Friday")
    mark = page.locator(".pdf-mark.current").first
    expect(mark).to_be_in_viewport()
    frame, lit = page.locator(".picture-page img").evaluate(BOX), mark.evaluate(BOX)
    scale = (frame[2] - frame[0]) / 900
    assert 110 < (lit[1] - frame[1]) / scale < 160  # on the second line
    assert 60 < (lit[0] - frame[0]) / scale < 240
    page.screenshot(path=pictures / "42-reader-picture.png")


def test_a_narrow_screen_and_one_without_scripts_read_well(
    visit: Callable[..., Any], ids: dict[str, str], pictures: Path
) -> None:
    window = visit(viewport={"width": 360, "height": 740}, has_touch=True)
    page = window.page
    open_page(page, f"{window.url}/documents/{ids['preview.pdf']}/v/1/reading?page=2")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=pictures / "43-reading-narrow.png", full_page=True)
    plain = visit(java_script_enabled=False)
    plain.page.goto(f"{plain.url}/documents/{ids['preview.pdf']}/v/1/reading?page=2")
    expect(plain.page.get_by_text("until row 3 left 2 ends.").first).to_be_visible()
    expect(plain.page.locator("[data-sheet]")).to_be_hidden()
