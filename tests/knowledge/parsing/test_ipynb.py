from __future__ import annotations

import json
from typing import Any

import office
import pytest

from knowledge.errors import DocumentDamaged, DocumentTooLarge, DocumentWithoutText


def notebook(*cells: dict[str, Any], **metadata: Any) -> str:
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def markdown(source: str | list[str]) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": outputs}


def stream(text: str | list[str]) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def result(**data: Any) -> dict[str, Any]:
    return {"output_type": "execute_result", "data": {key.replace("_", "/"): value for key, value in data.items()}}


@pytest.mark.parametrize("expected", office.of_format("ipynb"))
def test_real_notebooks(parse, expected: Any) -> None:
    assert office.unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_words_code_and_results_stand_in_order(parse, shown) -> None:
    cells = [
        markdown(["# Sales\n", "\n", "Some *words*.\n", "- item"]),
        code("x = 1\nprint(x)\n", stream("1\n")),
        markdown("## Next"),
    ]
    document = parse(notebook(*cells, code("y"), language_info={"name": "julia"}), "a.ipynb")
    assert document.title == "Sales"
    assert shown(document) == [
        ("heading", "# Sales"),
        ("paragraph", "Some *words*."),
        ("list_item", "- item"),
        ("code", "x = 1\nprint(x)"),
        ("code", "1"),
        ("heading", "## Next"),
        ("code", "y"),
    ]
    assert document.blocks[3].attrs == {"cell": 2, "language": "julia"}
    assert document.blocks[4].attrs == {"cell": 2, "output": True}
    assert [block.heading_path for block in document.blocks[4:]] == [("Sales",), ("Sales",), ("Sales", "Next")]


def test_what_is_printed_is_shown_as_a_terminal_shows_it(parse, shown) -> None:
    outputs = [stream(["10%\r", "20%\r100%\nrest"]), stream(" of line\n"), stream("\x1b[1;31mred\x1b[0m\r\n")]
    assert shown(parse(notebook(code("", *outputs)), "a.ipynb")) == [("code", "100%\nrest of line\nred")]


def test_tracebacks_lose_their_colours(parse) -> None:
    error = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "no",
        "traceback": ["\x1b[0;31mValueError\x1b[0m: no"],
    }
    document = parse(notebook(code("f()", error)), "a.ipynb")
    assert document.text == "f()\n\nValueError: no"
    bare = {**error, "traceback": []}
    assert parse(notebook(code("f()", bare)), "a.ipynb").text == document.text


def test_the_plainest_form_of_a_result_is_read_and_pictures_are_not(parse, shown) -> None:
    outputs = [
        result(text_plain="   a  b\n0  1  2", text_html="<table><tr><td>1</table>"),
        result(text_html="<p>only <b>HTML</b></p>"),
        result(text_plain="<Figure size 640x480>", image_png="iVBORw0KGgo="),
    ]
    document = parse(notebook(code("df", *outputs)), "a.ipynb")
    assert shown(document)[1:] == [("code", "   a  b\n0  1  2"), ("paragraph", "only HTML")]
    assert document.blocks[-1].attrs["output"] is True


def test_pictures_inside_the_words_leave_their_description(parse) -> None:
    source = "See ![the chart](data:image/png;base64," + "A" * 5000 + ') and ![](attachment:a.png "x") here'
    assert parse(notebook(markdown(source)), "a.ipynb").text == "See the chart and  here"


def test_format_3_is_read(parse, shown) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old"]},
        {"cell_type": "code", "language": "python", "input": ["1/0"], "outputs": [
            {"output_type": "pyout", "text": ["42"]},
            {"output_type": "stream", "stream": "stdout", "text": ["said"]},
            {"output_type": "pyerr", "traceback": ["ZeroDivisionError"]},
            {"output_type": "display_data", "png": "iVBORw0KGgo=", "text": ["<figure>"]},
        ]},
        {"cell_type": "raw", "source": "raw words"},
    ]  # fmt: skip
    document = parse(json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]}), "a.ipynb")
    assert [text for _, text in shown(document)] == ["Old", "1/0", "42", "said", "ZeroDivisionError", "raw words"]
    assert document.blocks[1].attrs["language"] == "python"
    assert document.blocks[0].level == 2


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("{", DocumentDamaged, "not valid JSON at line 1"),
        ("\n\n{'cells': []}", DocumentDamaged, "at line 3"),
        ("[" * 100_000, DocumentTooLarge, "too deep"),
        ('{"cells":' + "[" * 5000 + "]" * 5000 + "}", DocumentTooLarge, "too deep"),
        ('{"cells": ' + "9" * 5000 + "}", DocumentDamaged, "not valid JSON"),
        ("[1, 2]", DocumentDamaged, "not a notebook"),
        ('{"a": 1}', DocumentDamaged, "no cells"),
        ('{"cells": []}', DocumentWithoutText, "no text"),
        (" ", DocumentWithoutText, "white space"),
        (
            '{"cells": [1, null, {"cell_type": [], "source": {}}, {"outputs": 5, "cell_type": "code"}]}',
            DocumentWithoutText,
            "no text",
        ),
    ],
)
def test_broken_notebooks_are_refused_in_words(parse, source: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        parse(source, "a.ipynb")


def test_characters_that_no_text_may_hold_are_dropped(parse) -> None:
    cells = [markdown("a\ud800b\0c"), code("d\ud800\0e", stream("f\0\x08\ud800g"))]
    assert parse(notebook(*cells), "a.ipynb").text == "abc\n\nde\n\nfg"
