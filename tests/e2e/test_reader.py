"""The reader in a real browser: the cited words lit where they stand, keys, sizes, and what it falls back to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from made_files import pdf_of_lines
from playwright.sync_api import expect
from scripted_replies import tokens

from chatapp.operations.bench.client import Client, Upload

pytestmark = [pytest.mark.timeout(300)]

LEFT = [
    "Rooms are let from the first of May and the",
    "rent is 1,217 euros each month, paid before",
    "the third working day. Heating is extra.",
]
RIGHT = [
    "Bicycles stand in the cellar behind the red",
    "door, which is locked at 21:45 and opened",
    "again at 05:30 by the caretaker himself.",
]
RENT = "the rent is 1,217 euros each month, paid before the third working day."
DOOR = "Bicycles stand in the cellar behind the red door, which is locked at 21:45"
PAGES = 30
LINE = 14
LETTERS = """([page, words]) => {
  const nodes = document.createTreeWalker(document.querySelector(`[data-page="${page}"] .pdf-text`), NodeFilter.SHOW_TEXT);
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
BOXES = "all => all.map(one => one.getBoundingClientRect()).map(box => [box.left, box.top, box.right, box.bottom])"
INK = """(mark) => {
  const page = mark.closest(".pdf-page");
  const canvas = page.querySelector("canvas");
  const [box, whole] = [mark, page].map((one) => one.getBoundingClientRect());
  const scale = canvas.width / (whole.width - 2);
  const area = [box.left - whole.left - 1, box.top - whole.top - 1, box.width, box.height].map((n) => Math.round(n * scale));
  const { data } = canvas.getContext("2d").getImageData(...area);
  let dark = 0;
  for (let at = 0; at < data.length; at += 4) dark += data[at] < 128;
  return dark / (data.length / 4);
}"""


def columns(page: int) -> list[tuple[float, float, str]]:
    """Two columns of their own on every page; the words to cite stand on page 7."""
    lines: list[tuple[float, float, str]] = []
    for x, special, name in ((72.0, LEFT, "left"), (320.0, RIGHT, "right")):
        for row in range(40):
            words = f"Page {page} {name} row {row} says {'abcdefgh'[(row * page) % 8] * 4} only."
            lines.append((x, 720 - LINE * row, special[row - 20] if page == 7 and 20 <= row < 23 else words))
    return lines


@dataclass
class Paper:
    """A document of the running product."""

    client: Client
    id: str
    data: bytes

    @property
    def text(self) -> str:
        status, body = self.client.raw("GET", f"/documents/{self.id}/versions/1/text")
        assert status == 200
        return body.decode()

    def at(self, words: str, more: str = "") -> str:
        start = self.text.index(words)
        return f"/documents/{self.id}/v/1/?{more}start={start}&end={start + len(words)}"


@pytest.fixture(scope="module")
def papers(site: Any) -> dict[str, Paper]:
    """A paper in two columns, and some of it turned and cropped; beside them a note of another format."""
    client = Client(url=site.url, key=site.first_run["api_key"])
    upright = pdf_of_lines([columns(page) for page in range(1, PAGES + 1)])
    turned = pdf_of_lines(
        [columns(page) for page in range(6, 9)],
        entries="/MediaBox [0 0 612 792] /CropBox [30 40 590 760] /Rotate 90",
    )
    stand = b"# Stands\n\nBicycles of visitors stand behind the blue gate. The rent of a stand is 9 euros each month.\n"
    files = {"columns.pdf": upright, "turned.pdf": turned, "stands.md": stand}
    base = site.first_run["knowledge_base"]
    client.ingest(base, [Upload(name, data) for name, data in files.items()], limit=180)
    status, body = client.raw("GET", f"/knowledge-bases/{base}/documents?limit=100")
    assert status == 200
    ids = {row["title"]: row["id"] for row in json.loads(body)["items"]}
    return {name: Paper(client, ids[name], files[name]) for name in ("columns.pdf", "turned.pdf")}


def open_pages(page: Any, url: str) -> None:
    page.goto(url)
    page.locator(".pdf-page canvas").first.wait_for()


def lit(page: Any) -> list[list[float]]:
    page.locator(".pdf-mark.current").first.wait_for()
    found: list[list[float]] = page.locator(".pdf-mark.current").evaluate_all(BOXES)
    return found


def letters(page: Any, number: int, words: str) -> list[float]:
    """Where pdf.js itself lays words that stand on one line, which is no work of ours."""
    page.locator(f'[data-page="{number}"] .pdf-text span').first.wait_for()
    box: list[float] = page.evaluate(LETTERS, [number, words])
    assert box, words
    return box


def assert_covers(mark: list[float], words: list[float], *, within: float) -> None:
    """The mark begins and ends with the words, and lies on their line."""
    assert abs(mark[0] - words[0]) < within, (mark, words)
    assert abs(mark[2] - words[2]) < within, (mark, words)
    middle = (words[1] + words[3]) / 2
    assert mark[1] - within < middle < mark[3] + within, (mark, words)
    assert mark[3] - mark[1] < 1.8 * (words[3] - words[1]) + within, (mark, words)


def test_a_citation_is_lit_on_its_words_in_its_column(
    visit: Callable[..., Any], papers: dict[str, Paper], pictures: Path
) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    open_pages(page, window.url + papers["columns.pdf"].at(RENT))
    marks = lit(page)
    page.locator('[data-page="7"] canvas').wait_for()
    page.screenshot(path=pictures / "20-reader-pages.png")
    parts = ["the", "rent is 1,217 euros each month, paid before", "the third working day."]
    assert len(marks) == len(parts)
    for mark, words in zip(marks, parts, strict=True):
        whole = letters(
            page, 7, next(line for line in LEFT if words in line and (words != "the" or line.endswith("the")))
        )
        assert mark[2] <= whole[2] + 4  # never over into the other column
    assert_covers(marks[1], letters(page, 7, parts[1]), within=4)
    assert_covers(marks[2], letters(page, 7, parts[2]), within=4)
    assert all(share > 0.02 for share in page.locator(".pdf-mark.current").evaluate_all(f"all => all.map({INK})"))
    assert all(150 < mark[1] < 860 for mark in marks)  # in view, below the bars
    expect(page.get_by_role("spinbutton", name="Page")).to_have_value("7")
    focus = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focus == f"Marked words: {RENT}"


def test_marks_stay_on_their_words_at_every_size(visit: Callable[..., Any], papers: dict[str, Paper]) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    open_pages(page, window.url + papers["columns.pdf"].at(DOOR))
    width = page.locator('[data-page="7"]').bounding_box()["width"]
    for key, larger in (("+", True), ("+", True), ("0", None), ("-", False), ("-", False)):
        page.keyboard.press(key)
        if larger is not None:
            now = page.locator('[data-page="7"]').bounding_box()["width"]
            assert (now > width) is larger or key == "-"
        assert_covers(lit(page)[0], letters(page, 7, RIGHT[0]), within=5)
    expect(page.locator("[data-zoom-now]")).not_to_have_text("100%")
    page.get_by_role("button", name="Fit the width").click()
    assert abs(page.locator('[data-page="7"]').bounding_box()["width"] - width) < 1


def test_a_turned_and_cropped_page_is_lit_on_its_words(
    visit: Callable[..., Any], papers: dict[str, Paper], pictures: Path
) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    open_pages(page, window.url + papers["turned.pdf"].at(DOOR))
    marks = lit(page)
    page.screenshot(path=pictures / "21-reader-turned.png")
    words = letters(page, 2, RIGHT[0])
    mark = marks[0]
    assert mark[3] - mark[1] > 5 * (mark[2] - mark[0])  # upright, as the page is turned
    turned = [[box[1], box[0], box[3], box[2]] for box in (mark, words)]
    assert_covers(turned[0], turned[1], within=4)


def test_keys_lead_through_the_citations_of_an_answer_across_documents(
    visit: Callable[..., Any], papers: dict[str, Paper], script: Any, pictures: Path
) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    said = "The rent is 1,217 euros each month [S{0}]. Bicycles stand in the cellar behind the red door [S{0}]. "
    answer = "".join(said.format(label) for label in range(1, 6))  # a label that no passage has is dropped
    script.script(tokens(answer), model="scripted-cite")
    asked = window.ask("How much rent is due each month, and where do bicycles stand?")
    assert window.settled(asked) == "done"
    asked.locator(".chip").first.click()
    page.locator("fn-sources .card-open").first.click()
    page.locator("#reader-data").wait_for(state="attached")
    stops = page.evaluate("JSON.parse(document.getElementById('reader-data').textContent).stops")
    assert len(stops) >= 3
    assert len({stop["link"].split("/")[2] for stop in stops}) >= 2  # more than one document
    place = page.locator("[data-stop-now]")
    expect(place).to_have_text(re.compile(f"Citation [12] of {len(stops)}"))  # of the first source
    page.goto(window.url + stops[0]["link"].removesuffix("#match"))
    expect(place).to_have_text(f"Citation 1 of {len(stops)}")
    for step, stop in enumerate(stops[1:], start=2):
        page.keyboard.press("n")
        expect(place).to_have_text(f"Citation {step} of {len(stops)}")
        page.wait_for_url(re.compile(re.escape(stop["link"].split("?")[0])))
        assert f"start={stop['link'].split('start=')[1].split('&')[0]}&" in page.url
    page.keyboard.press("n")  # there is no next one
    expect(place).to_have_text(f"Citation {len(stops)} of {len(stops)}")
    page.screenshot(path=pictures / "22-reader-citations.png")
    for step in range(len(stops) - 1, 0, -1):
        page.keyboard.press("p")
        expect(place).to_have_text(f"Citation {step} of {len(stops)}")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)


def test_only_pages_in_view_are_drawn_and_kept(visit: Callable[..., Any], papers: dict[str, Paper]) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    open_pages(page, f"{window.url}/documents/{papers['columns.pdf'].id}/")
    assert page.locator(".pdf-page").count() == PAGES
    assert page.locator(".pdf-page canvas").count() <= 3
    number = page.get_by_role("spinbutton", name="Page")
    for step in range(2, PAGES + 1):
        page.keyboard.press("PageDown")
        expect(number).to_have_value(str(step))
    page.locator(f'[data-page="{PAGES}"] canvas').wait_for()
    assert page.locator(".pdf-page canvas").count() <= 10
    number.fill("3")
    number.press("Enter")
    page.locator('[data-page="3"] canvas').wait_for()
    top = page.locator('[data-page="3"]').bounding_box()["y"]
    assert 60 < top < 200


def test_words_without_a_place_light_nothing_and_say_so(visit: Callable[..., Any], papers: dict[str, Paper]) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    gap = papers["columns.pdf"].text.index("\n\n")
    open_pages(page, f"{window.url}/documents/{papers['columns.pdf'].id}/v/1/?start={gap}&end={gap + 2}")
    expect(page.get_by_text("The place of these words on the page is not known")).to_be_visible()
    assert page.locator(".pdf-mark").count() == 0
    page.get_by_role("link", name="Read them in the text").click()
    expect(page.locator("article")).to_be_visible()


def test_a_search_leads_to_its_places(visit: Callable[..., Any], papers: dict[str, Paper], pictures: Path) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    open_pages(page, f"{window.url}/documents/{papers['columns.pdf'].id}/")
    page.keyboard.press("/")
    page.keyboard.type("LOCKED at 21:45")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 place.")).to_be_visible()
    assert_covers(lit(page)[0], letters(page, 7, "locked at 21:45"), within=5)
    page.screenshot(path=pictures / "23-reader-search.png")


def test_a_file_is_downloaded_as_it_was_uploaded(visit: Callable[..., Any], papers: dict[str, Paper]) -> None:
    window = visit()
    page = window.page
    page.goto(f"{window.url}/documents/{papers['columns.pdf'].id}/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == papers["columns.pdf"].data
    assert download.value.suggested_filename == "columns.pdf"
    address = f"{window.url}/documents/{papers['columns.pdf'].id}/v/1/file"
    part = page.request.get(address, headers={"Range": "bytes=0-7"})
    assert (part.status, part.body()) == (206, papers["columns.pdf"].data[:8])
    assert part.headers["content-disposition"].startswith("attachment")
    assert part.headers["content-security-policy"].startswith("sandbox")
    assert part.headers["x-content-type-options"] == "nosniff"


def test_a_pdf_that_cannot_be_drawn_is_read_as_text(visit: Callable[..., Any], papers: dict[str, Paper]) -> None:
    window = visit(viewport={"width": 1280, "height": 860})
    page = window.page
    page.route("**/v/1/file", lambda route: route.fulfill(status=200, body="no PDF at all"))
    page.goto(window.url + papers["columns.pdf"].at(RENT))
    expect(page.get_by_text("This PDF is damaged and cannot be drawn. Here is the text.")).to_be_visible()
    expect(page.locator("mark#match")).to_be_in_viewport()
    assert page.locator("article mark").all_inner_texts() == [RENT]


def test_without_scripts_the_text_is_there(visit: Callable[..., Any], papers: dict[str, Paper]) -> None:
    window = visit(java_script_enabled=False)
    page = window.page
    page.goto(window.url + papers["columns.pdf"].at(RENT))
    expect(page.locator("mark#match")).to_be_visible()
    expect(page.locator("[data-pages]")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_shows_the_marked_words(
    visit: Callable[..., Any], papers: dict[str, Paper], pictures: Path, scheme: str
) -> None:
    window = visit(viewport={"width": 360, "height": 740}, color_scheme=scheme, has_touch=True)
    page = window.page
    open_pages(page, window.url + papers["columns.pdf"].at(RENT))
    page.locator('[data-page="7"] canvas').wait_for()
    assert_covers(lit(page)[1], letters(page, 7, LEFT[1]), within=4)
    expect(page.locator(".pdf-mark.current").first).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.screenshot(path=pictures / f"24-reader-narrow-{scheme}.png")
    page.get_by_role("link", name="Text", exact=True).click()
    expect(page.locator("mark#match")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
