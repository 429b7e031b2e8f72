from __future__ import annotations

import time

from knowledge.parsing.markdown_table import is_delimiter_row, split_cells
from knowledge.types import BlockKind

SOURCE = """---
title: "Staff handbook"
---

# Leave [policy](http://a.test/x)

Intro text
over two lines.

## Annual *leave*
- one
- two
  more of two
  - nested

1. first

| Country | Days |
| --- | ---: |
| France | 25 |
| Spain | 22 |

> Quoted words.

```py
# not a heading
```

Setext
======
[ref]: http://a.test/ "Reference title"

***
"""


def test_source_stays_verbatim_and_front_matter_is_furniture(parse) -> None:
    document = parse(SOURCE, "a.md")
    assert document.text == SOURCE
    assert document.title == "Staff handbook"
    first = document.blocks[0]
    assert first.kind is BlockKind.FURNITURE
    assert document.text[first.start : first.end].startswith("---\ntitle")


def test_blocks_have_their_kinds_and_ranges(parse, shown) -> None:
    found = shown(parse(SOURCE, "a.md"))[1:]
    assert found == [
        ("heading", "# Leave [policy](http://a.test/x)"),
        ("paragraph", "Intro text\nover two lines."),
        ("heading", "## Annual *leave*"),
        ("list_item", "- one"),
        ("list_item", "- two\n  more of two"),
        ("list_item", "- nested"),
        ("list_item", "1. first"),
        ("table_row", "| Country | Days |\n| --- | ---: |"),
        ("table_row", "| France | 25 |"),
        ("table_row", "| Spain | 22 |"),
        ("paragraph", "> Quoted words."),
        ("code", "```py\n# not a heading\n```"),
        ("heading", "Setext\n======"),
        ("paragraph", '[ref]: http://a.test/ "Reference title"'),
    ]


def test_heading_paths_are_plain_words(parse) -> None:
    document = parse(SOURCE, "a.md")
    row = next(b for b in document.blocks if "France" in document.text[b.start : b.end])
    assert row.heading_path == ("Leave policy", "Annual leave")
    assert row.attrs["header"] == ["Country", "Days"]
    last = document.blocks[-1]
    assert last.heading_path == ("Setext",)


def test_a_heading_that_closes_others_leaves_their_path(parse) -> None:
    document = parse("# A\n\n### B\n\nx\n\n## C\n\ny\n", "a.md")
    paths = [b.heading_path for b in document.blocks if b.kind is BlockKind.PARAGRAPH]
    assert paths == [("A", "B"), ("A", "C")]


def test_a_rule_at_the_top_is_no_front_matter(parse) -> None:
    assert parse("---\n\nText without front matter\n\n---\n", "a.md").blocks[0].kind is BlockKind.PARAGRAPH


def test_title_is_the_first_heading_when_none_is_stated(parse) -> None:
    assert parse("# Guide\n\nText.", "a.md").title == "Guide"
    assert parse("Text.\n\n# Guide", "a.md").title is None


def test_lines_before_a_table_are_a_paragraph(parse, shown) -> None:
    found = shown(parse("Before the table\na | b\n--- | ---\n1 | 2\n", "a.md"))
    assert [kind for kind, _ in found] == ["paragraph", "table_row", "table_row"]


def test_hostile_markdown_takes_little_time(parse) -> None:
    sources = [
        "[" * 50_000,
        "*a " * 100_000,
        ">" * 100_000 + " x",
        "|".join("a" * 3000) + "\n" + "|".join("-" * 3000) + "\n" + ("|".join("b" * 3000) + "\n") * 100,
        "a\n" + "- " * 20_000 + "x",
    ]
    started = time.monotonic()
    for source in sources:
        document = parse(source, "a.md")
        assert document.text == source
    assert time.monotonic() - started < 20


def test_delimiter_rows_need_as_many_cells_as_the_header() -> None:
    assert is_delimiter_row("|:--|--:|", header="| a | b |")
    assert not is_delimiter_row("|---|", header="| a | b |")
    assert not is_delimiter_row("---", header="a heading")
    assert not is_delimiter_row("| - - | : |", header="| a | b |")


def test_an_escaped_pipe_stays_in_its_cell() -> None:
    assert split_cells(r"| a \| b | c |") == ["a | b", "c"]
