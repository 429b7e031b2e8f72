from __future__ import annotations

import json
from typing import Any

import pytest

from knowledge.parsing import from_json, to_json
from knowledge.types import Page, ParsedDocument

SOURCE = "---\ntitle: T\n---\n# One\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\ntext\n"


def test_a_layout_survives_json(parse, make_pdf) -> None:
    pdf = make_pdf([[(72, 700, 12, "Some text on the page.")], []])
    for data, name in ((SOURCE.encode(), "a.md"), (pdf, "a.pdf")):
        document = parse(data, name)
        layout = json.loads(json.dumps(to_json(document)))
        again = from_json(layout, text=document.text, boxes=document.boxes)
        assert to_json(again) == to_json(document)
        assert again.blocks == document.blocks
        assert (again.pages, again.warnings, again.title) == (document.pages, document.warnings, document.title)


def _change(layout: dict[str, Any], path: list[Any], value: Any) -> None:
    for key in path[:-1]:
        layout = layout[key]
    layout[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["format"], 99),
        (["length"], 3),
        (["title"], 5),
        (["warnings"], [1]),
        (["blocks", 0, 0], "no kind"),
        (["blocks", 0, 1], -1),
        (["blocks", 0, 1], True),
        (["blocks", 0, 2], 10**9),
        (["blocks", 1, 1], 0),
        (["blocks", 0, 4], 99),
        (["blocks", 0, 7], [1]),
        (["blocks", 0], [1]),
        (["paths"], [[1]]),
        (["pages"], [[0, 10**9, 1, 1, 0, [0, 0, 0, 0]]]),
        (["pages"], [[0, 1]]),
        (["blocks"], None),
    ],
)
def test_a_forged_layout_is_refused(parse, path: list[Any], value: Any) -> None:
    document = parse(SOURCE, "a.md")
    layout = json.loads(json.dumps(to_json(document)))
    _change(layout, path, value)
    with pytest.raises(ValueError):
        from_json(layout, text=document.text)


def paged() -> ParsedDocument:
    page = Page(number=1, start=0, end=4, width=10, height=20, characters=4, bad=1, has_image=True, source="ocr-layer")
    return ParsedDocument(
        text="text", blocks=(), parser="pdf", parser_version="2", media_type="application/pdf", pages=(page,)
    )


def test_what_is_known_of_a_page_is_kept() -> None:
    data = json.loads(json.dumps(to_json(paged())))
    assert from_json(data, text="text").pages == paged().pages


def test_a_layout_of_the_first_format_is_still_read() -> None:
    data = to_json(paged())
    data["format"] = 1
    data["pages"] = [row[:6] for row in data["pages"]]
    (page,) = from_json(data, text="text").pages
    assert (page.characters, page.bad, page.has_image, page.source) == (0, 0, False, "text")


@pytest.mark.parametrize(("place", "value"), [(6, -1), (7, "1"), (8, 1), (9, "guessed")])
def test_senseless_facts_of_a_page_are_refused(place: int, value: object) -> None:
    data = to_json(paged())
    data["pages"][0][place] = value
    with pytest.raises(ValueError):
        from_json(data, text="text")
