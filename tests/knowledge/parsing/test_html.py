from __future__ import annotations

from typing import Any

import office
import pytest

from knowledge.errors import DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.html_depth import depth
from knowledge.types import BlockKind

PAGE = """<!DOCTYPE html><html><head><title> The
 Title </title><style>p{color:red}</style></head><body>
<nav><a href="/">Home</a></nav>
<h1>Main <em>heading</em></h1>
<p>First   paragraph<br>second line.</p>
<div>Loose text <b>bold</b></div>
<ul><li>one</li><li>two <p>inner</p></li></ul>
<pre>  code
    indented</pre>
<p hidden>never</p><p style="display: none">never</p><div aria-hidden="true">never</div>
<script>never()</script><!-- never --><noscript>never</noscript><template><p>never</p></template>
<h2>Prices</h2>
<table><caption>Fares</caption><tr><th>City</th><th>Price</th></tr><tr><td>Rome</td><td>10 €</td></tr></table>
</body></html>"""


def test_main_content_is_read_in_blocks(parse, shown) -> None:
    document = parse(PAGE, "a.html")
    assert document.title == "The Title"
    assert shown(document) == [
        ("heading", "Main heading"),
        ("paragraph", "First paragraph\nsecond line."),
        ("paragraph", "Loose text bold"),
        ("list_item", "one"),
        ("list_item", "two"),
        ("list_item", "inner"),
        ("code", "  code\n    indented"),
        ("heading", "Prices"),
        ("caption", "Fares"),
        ("table_row", "City: Rome; Price: 10 €"),
    ]
    assert "never" not in document.text


def test_blocks_are_joined_by_blank_lines_and_know_their_headings(parse) -> None:
    document = parse(PAGE, "a.html")
    assert document.text.startswith("Main heading\n\nFirst paragraph")
    assert document.blocks[-1].heading_path == ("Main heading", "Prices")


def test_cell_ranges_point_at_the_values(parse) -> None:
    document = parse(PAGE, "a.html")
    cells = document.blocks[-1].attrs["cells"]
    assert [document.text[start:end] for start, end in cells] == ["Rome", "10 €"]


def test_cells_that_span_rows_keep_the_columns_right(parse, shown) -> None:
    table = (
        "<table><tr><th>Year<th>Month<th>Cost</tr><tr><th rowspan=2>2025<td>May<td>1</tr><tr><td>June<td>2</tr></table>"
    )
    assert [text for _, text in shown(parse(table + "<p>x", "a.html"))][:2] == [
        "Year: 2025; Month: May; Cost: 1",
        "Year: 2025; Month: June; Cost: 2",
    ]


def test_the_main_element_is_preferred_when_it_holds_the_words(parse) -> None:
    page = "<body><div>Side note</div><main><p>" + "Body words. " * 20 + "</p></main><footer>Imprint</footer></body>"
    assert "Side note" not in parse(page, "a.html").text
    assert "Side note" in parse("<body><div>Side note, long enough</div><main><p>x</p></main>", "a.html").text


def test_a_declared_charset_is_used(parse) -> None:
    page = '<html><meta charset="windows-1251"><p>Договор аренды</p></html>'
    assert "Договор аренды" in parse(page.encode("cp1251"), "a.html").text


def test_the_names_of_several_header_rows_are_read_one_after_the_other(parse, shown) -> None:
    head = "<tr><{0} rowspan=2>Pier</{0}><{0} colspan=2>Depth</{0}></tr><tr><{0}>Low</{0}><{0}>High</{0}></tr>"
    body = "<tr><td rowspan=2>North<td>3<td>7</tr><tr><td>4<td>8</tr>"
    for table in (head.format("th") + body, f"<thead>{head.format('td')}</thead><tbody>{body}</tbody>"):
        assert shown(parse(f"<table>{table}</table>", "a.html")) == [
            ("table_row", "Pier: North; Depth Low: 3; Depth High: 7"),
            ("table_row", "Pier: North; Depth Low: 4; Depth High: 8"),
        ]
    plain = "<tr><th>A<th>B</tr><tr><th>C<th>D</tr><tr><td>1<td>2</tr>"
    assert parse(f"<table>{plain}</table>", "a.html").text == "A: C; B: D\nA: 1; B: 2"


def test_a_header_cell_as_wide_as_the_table_is_its_title(parse, shown) -> None:
    page = "<table><tr><th colspan=2>Ada</tr><tr><th>Born<td>1815</tr><tr><th>Died<td>1852</tr></table>"
    assert shown(parse(page, "a.html")) == [
        ("caption", "Ada"), ("table_row", "Born; 1815"), ("table_row", "Died; 1852"),
    ]  # fmt: skip


def test_the_name_of_a_column_without_values_is_not_lost(parse) -> None:
    page = "<table><tr><th>Name<th>Fax</tr><tr><td>Ada<td></tr></table>"
    assert parse(page, "a.html").text == "Name; Fax\nName: Ada"
    assert parse("<table><tr><th>Name<th>Fax</tr></table>", "a.html").text == "Name; Fax"


def test_a_layout_table_is_read_as_paragraphs(parse, shown) -> None:
    page = "<table><tr><td><h1>Head</h1><table><tr><th>A<th>B</tr><tr><td>1<td>2</tr></table></td></tr></table>"
    assert shown(parse(page, "a.html")) == [("heading", "Head"), ("table_row", "A: 1; B: 2")]


@pytest.mark.parametrize("html", ["<p>a<p>b" * 2000, "<li>x" * 2000, "<br>" * 5000, "<div></div>" * 5000, "<a/>" * 900])
def test_unclosed_or_empty_elements_do_not_count_as_depth(html: str) -> None:
    assert depth(html) <= 2


def test_depth_ignores_comments_and_scripts() -> None:
    assert depth("<div><!-- <div><div><div> --><script>'<div><div>'</script><b>x</b></div>") == 2


def test_deep_nesting_is_refused_before_a_tree_is_built(parse) -> None:
    with pytest.raises(DocumentTooLarge, match="512 deep"):
        parse("<html>" + "<div>" * 100_000, "a.html")
    assert parse("<html>" + "<div>" * 500 + "deep", "a.html").text == "deep"


def test_unclosed_comments_take_linear_time(parse) -> None:
    with pytest.raises(DocumentWithoutText):
        parse("<html>" + "<!-- <" * 200_000, "a.html")


def test_a_page_without_words_is_a_document_without_text(parse) -> None:
    with pytest.raises(DocumentWithoutText):
        parse("<html><body><nav>menu</nav><img src=x></body></html>", "a.html")


@pytest.mark.parametrize("expected", office.of_format("html"))
def test_real_pages(parse, expected: Any) -> None:
    assert office.unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_header_and_footer_of_the_page_are_furniture(parse, shown) -> None:
    page = (
        "<body><header><a>Logo</a></header><div class='cookie-banner'><p>We use cookies</p></div>"
        "<article><header>By Ann</header><p>Words</p><footer>Notes</footer></article>"
        "<div role=contentinfo><table><tr><td>Imprint<td>Terms</table></div></body>"
    )
    document = parse(page, "a.html")
    assert shown(document, BlockKind.PARAGRAPH) == [
        ("paragraph", "By Ann"),
        ("paragraph", "Words"),
        ("paragraph", "Notes"),
    ]
    page = (
        page.replace("<article>", "<section>").replace("</article>", "</section>").replace("<p>Words", "<p>Many words")
    )
    furniture = [text for _, text in shown(parse(page, "a.html"), BlockKind.FURNITURE)]
    assert furniture == ["Logo", "We use cookies", "Imprint; Terms"]


def test_a_page_header_with_the_title_is_content(parse, shown) -> None:
    page = "<body><header><h1>Title</h1></header><p>Words</p></body>"
    assert shown(parse(page, "a.html")) == [("heading", "Title"), ("paragraph", "Words")]


def test_a_page_of_nothing_but_a_footer_is_read(parse, shown) -> None:
    assert shown(parse("<body><footer><p>All the words</p></footer>", "a.html")) == [("paragraph", "All the words")]


def test_terms_stand_with_their_definitions(parse, shown) -> None:
    page = (
        "<dl><dt>Term<dd>Meaning<dt>Two<dt>names<dd><p>First</p><p>Second</p><dt>Alone</dl>"
        "<dl><div><dt>Key</dt><dd><pre>code</pre></dd></div></dl>"
    )
    assert shown(parse(page, "a.html")) == [
        ("list_item", "Term\nMeaning"),
        ("list_item", "Two\nnames\nFirst"),
        ("paragraph", "Second"),
        ("list_item", "Alone"),
        ("list_item", "Key"),
        ("code", "code"),
    ]


def test_character_references_cannot_smuggle_in_what_no_text_may_hold(parse) -> None:
    document = parse("<pre>a&#13;b&#0;c</pre><table><tr><td>d&#13;<td>e</table>", "a.html")
    assert "\r" not in document.text
    assert "\0" not in document.text


def test_a_column_of_divisions_is_layout(parse, shown) -> None:
    page = "<table><tr><td><div>One</div><div>Two</div></tr></table><table><tr><td>1<td>2</table>"
    assert shown(parse(page, "a.html")) == [("paragraph", "One"), ("paragraph", "Two"), ("table_row", "1; 2")]


def test_only_the_innermost_of_nested_tables_is_a_table_of_values(parse) -> None:
    inner = "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>"
    document = parse(
        f"<table><tr><td><table><tr><td>{inner}</td><td>beside</td></tr></table></td></tr></table>".encode(), "a.html"
    )
    assert [(b.kind, document.text[b.start : b.end]) for b in document.blocks] == [
        (BlockKind.TABLE_ROW, "A: 1; B: 2"),
        (BlockKind.PARAGRAPH, "beside"),
    ]
