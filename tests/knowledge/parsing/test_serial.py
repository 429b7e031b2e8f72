from __future__ import annotations

import json
from typing import Any

import pytest

from knowledge.parsing import from_json, to_json

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
