from __future__ import annotations

import pytest
from growth import assert_linear
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import DocumentError, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.rst import RstParser

PAGE = """=====
Title
=====

:Author: Anna

.. _label:

Section
-------
A paragraph
over two lines::

    def f():

        return 1

Sub
~~~
- one
- two
  goes on

1. first

Other
-----
end
"""


def test_headings_have_levels_by_the_order_of_their_lines(parse, shown) -> None:
    document = parse(PAGE, "a.rst")
    assert document.text == PAGE
    assert document.title == "Title"
    assert [(b.level, document.text[b.start : b.end]) for b in document.blocks if b.level] == [
        (1, "Title"), (2, "Section"), (3, "Sub"), (2, "Other"),
    ]  # fmt: skip
    assert document.blocks[-1].heading_path == ("Title", "Other")
    assert shown(document)[4:9] == [
        ("paragraph", "A paragraph\nover two lines::"), ("code", "    def f():\n\n        return 1"), ("heading", "Sub"),
        ("list_item", "- one"), ("list_item", "- two\n  goes on"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (".. code-block:: python\n   :linenos:\n\n   x = 1\n\n   y = 2\n\nend", [("code", ".. code-block:: python\n   :linenos:\n\n   x = 1\n\n   y = 2"), ("paragraph", "end")]),
        (".. A comment\n   of two lines\n\n   and more\n\nend", [("furniture", ".. A comment\n   of two lines\n\n   and more"), ("paragraph", "end")]),
        ("..\n\n   quoted", [("furniture", ".."), ("paragraph", "quoted")]),
        (".. note:: Careful.\n\n   More.\n", [("paragraph", ".. note:: Careful."), ("paragraph", "More.")]),
        (".. figure:: a.png\n\n   A caption.\n", [("paragraph", ".. figure:: a.png"), ("caption", "A caption.")]),
        (".. [1] A note.\n.. _x: http://a.test\n\nend", [("footnote", ".. [1] A note."), ("paragraph", ".. _x: http://a.test"), ("paragraph", "end")]),
        (".. |x| image:: a.png\n\n|x| end", [("furniture", ".. |x| image:: a.png"), ("paragraph", "|x| end")]),
        (".. toctree::\n   :maxdepth: 2\n\n   intro\n\nend", [("furniture", ".. toctree::\n   :maxdepth: 2\n\n   intro"), ("paragraph", "end")]),
        (".. csv-table:: Ages\n\n   Anna, 3\n   Ben, 4\n", [("caption", ".. csv-table:: Ages"), ("table_row", "Anna, 3"), ("table_row", "Ben, 4")]),
        (">>> 1 + 1\n2", [("code", ">>> 1 + 1\n2")]),
        ("- item::\n\n      code\n\n  text", [("list_item", "- item::"), ("code", "      code"), ("paragraph", "text")]),
        ("a\n\n----\n\nb", [("paragraph", "a"), ("paragraph", "b")]),
        (":ref:`x` begins a sentence.", [("paragraph", ":ref:`x` begins a sentence.")]),
        ("A line - - -\nwith dashes", [("paragraph", "A line - - -\nwith dashes")]),
    ],
)  # fmt: skip
def test_each_kind_of_block(parse, shown, source: str, expected: list[tuple[str, str]]) -> None:
    document = parse(source, "a.rst")
    assert shown(document) == expected
    assert document.text == source


def test_rows_of_a_grid_table(parse, shown) -> None:
    grid = "+------+-----+\n| Name | Age |\n+======+=====+\n| Anna | 30  |\n+------+-----+\n| Ben  | 4   |\n| Lee  |     |\n+------+-----+\n"
    document = parse(grid, "a.rst")
    assert shown(document) == [
        ("table_row", "| Name | Age |"), ("table_row", "| Anna | 30  |"), ("table_row", "| Ben  | 4   |\n| Lee  |     |"),
    ]  # fmt: skip
    assert document.blocks[1].attrs["header"] == ["Name", "Age"]
    assert [document.text[s:e] for s, e in document.blocks[1].attrs["cells"]] == ["Anna", "30"]
    assert "cells" not in document.blocks[2].attrs


def test_rows_of_a_simple_table_with_a_blank_line_in_it(parse, shown) -> None:
    simple = "=====  =====\nName   Age\n=====  =====\nAnna   30\n\nBen    4\n       or 5\n=====  =====\n\nend\n"
    document = parse(simple, "a.rst")
    assert shown(document) == [
        ("table_row", "Name   Age"), ("table_row", "Anna   30"), ("table_row", "Ben    4\n       or 5"), ("paragraph", "end"),
    ]  # fmt: skip
    assert document.blocks[2].attrs == {"row": 3, "header": ["Name", "Age"]}
    assert [document.text[s:e] for s, e in document.blocks[1].attrs["cells"]] == ["Anna", "30"]


def test_a_table_without_a_header_ends_at_its_second_border(parse, shown) -> None:
    assert shown(parse("==  ==\n1   2\n==  ==\n\nend", "a.rst")) == [("table_row", "1   2"), ("paragraph", "end")]


def test_comments_alone_are_no_text_and_nothing_is_fetched_or_run(parse) -> None:
    with pytest.raises(DocumentWithoutText):
        parse(".. only a comment\n", "a.rst")
    document = parse(".. include:: /etc/passwd\n\n.. raw:: html\n   :file: /etc/passwd\n\nend", "a.rst")
    assert "root:" not in document.text


PIECES = ["====\n", "----\n", "Title\n", "word ", "\n", "\n\n", "    ", "- ", "1. ", ".. ", ".. note:: ", ".. code::\n", "::\n\n",
          "==  ==\n", "+--+--+\n", "| a | b |\n", ":f: x\n", ".. [1] ", ".. _x: ", ">>> ", "__ ", "漢字\n", "\u2028"]  # fmt: skip


@given(source=st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_blocks_hold_every_word_in_order(source: str) -> None:
    try:
        document = RstParser().parse(source.encode(), ParseContext(filename="a.rst"))
    except DocumentError:
        return
    position, outside = 0, ""
    for block in document.blocks:
        assert position <= block.start < block.end
        outside += document.text[position : block.start]
        position = block.end
    outside += document.text[position:]
    assert not any(c.isalnum() for c in outside)


@pytest.mark.parametrize(
    "piece",
    [
        "====\n",
        "a\n",
        "a\n\n",
        ".. x\n",
        ".. x\n\n",
        "- a\n",
        "==  ==\n",
        "a\n-\n",
        " ",
        "+-+\n",
        "|",
        "a::\n\n b\n\n",
        "x" * 50,
    ],
)
def test_time_grows_with_the_size_and_no_faster(piece: str) -> None:
    assert_linear(RstParser(), piece)
