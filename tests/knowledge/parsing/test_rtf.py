from __future__ import annotations

import office
import pytest
from growth import assert_linear
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import DocumentDamaged, DocumentError, DocumentRefused, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.rtf import RtfParser

STYLES = (
    r"{\stylesheet{\s0 Normal;}{\s1\sb240 heading 1,H1;}{\s2\outlinelevel1 \'dcber 2;}{\s3 Title;}"
    r"{\*\cs10\additive Default;}}"
)


def rtf(body: str, head: str = r"\ansi\ansicpg1252\deff0{\fonttbl{\f0 Arial;}}") -> bytes:
    return b"{\\rtf1" + head.encode() + STYLES.encode() + body.encode("latin-1") + b"}"


@pytest.mark.parametrize("expected", office.of_format("rtf"))
def test_real_rich_text(parse, shown, expected) -> None:
    document = parse(expected.data, expected.file.name)
    assert office.unmet(document, expected.row) == []
    assert document.blocks[0].level == 1
    assert shown(document)[-1] == ("table_row", "Column 1: Row 2, Cell 1; Column 2: Row 2, Cell 2")


def test_headings_come_from_styles_and_outline_levels(parse, shown) -> None:
    body = r"\pard\s3 The title\par\pard\s1 One\par\pard\s2 Two\par\pard plain\par\pard\outlinelevel0 Three\par\pard\s1\outlinelevel9 no\par"
    document = parse(rtf(body), "a.rtf")
    assert [(kind, b.level) for (kind, _), b in zip(shown(document), document.blocks, strict=True)] == [
        ("title", None), ("heading", 1), ("heading", 2), ("paragraph", None), ("heading", 1), ("paragraph", None),
    ]  # fmt: skip
    assert document.blocks[3].heading_path == ("One", "Two")
    assert document.title == "The title"


def test_the_stated_title_is_taken_and_nothing_else_of_the_head_comes_out(parse) -> None:
    head = r"\ansi{\info{\title Stated}{\author Somebody}{\doccomm x}}{\colortbl;\red0;}{\*\generator Writer;}"
    document = parse(rtf(r"words\par", head), "a.rtf")
    assert (document.title, document.text) == ("Stated", "words")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"caf\'e9 \u8364?5 \u-10179?\u-8704? \emdash\~x\_y\-z", "café €5 😀 —\u00a0x-yz"),
        (r"{\uc2 \u26085\'93\'fa\u26412\'96\'7b}ok", "日本ok"),
        (r"{\uc0 \u233 t\u233 }", "été"),
        (r"\u233{x}", "éx"),
        (r"\{a\\b\} line\line two", "{a\\b} line\ntwo"),
        ("so\r\nft \\\nhard", "soft\n\nhard"),
        (r"a {\v hidden}b\v c\v0 d\plain e", "a bde"),
        (r"kept {\deleted gone}{\revised new}", "kept new"),
        (r'{\field{\*\fldinst HYPERLINK "http://a.test"}{\fldrslt link}} after', "link after"),
        (r"{\upr{plain}{\*\ud{\uc0 \u9731 }}} snow", "☃ snow"),
        (r"{\*\unknown left {out}} kept{\xe index}", "kept"),
        (r"{\pict\wmetafile8 0102ab}{\object{\*\objdata 00}{\result shown}}", "shown"),
        (r"{\pict\bin5 }}\'{}words", "words"),
        (r"bullet \u-3913?", "bullet •"),
        (r"{\shp{\*\shpinst{\sp{\sn a}{\sv 1}}{\shptxt boxed\par}}{\shprslt gone}}anchor\par next", "anchor\n\nboxed\n\nnext"),
    ],
)  # fmt: skip
def test_what_people_read_comes_out(parse, body: str, text: str) -> None:
    assert parse(rtf(body), "a.rtf").text == text


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        (128, "cp932", "表示ソース"),
        (204, "cp1251", "Привет"),
        (134, "gbk", "中文"),
        (238, "cp1250", "Zażółć"),
        (129, "cp949", "한국"),
        (161, "cp1253", "Ελλάδα"),
    ],
)
def test_each_font_has_its_code_page(parse, charset: int, codec: str, text: str) -> None:
    escaped = "".join(chr(b) if b < 0x80 and chr(b).isalnum() else f"\\'{b:02x}" for b in text.encode(codec))
    head = rf"\ansi\ansicpg1252\deff0{{\fonttbl{{\f0\fcharset0 Arial;}}{{\f1\fcharset{charset} Other;}}}}"
    assert parse(rtf(rf"\'e9 {{\f1 {escaped}}} \'e9", head), "a.rtf").text == f"é {text} é"
    assert parse(rtf(escaped, rf"\ansi\ansicpg{codec.removeprefix('cp').replace('gbk', '936')}"), "a.rtf").text == text


def test_tables_are_rows_with_their_headers_and_cells_that_go_on_repeat(parse, shown) -> None:
    body = (
        r"before\par\trowd\cellx1\cellx2\pard\intbl Name\cell Age\cell\row"
        r"\trowd\clvmgf\cellx1\cellx2\pard\intbl Anna\par Lee\cell 30\cell\row"
        r"\trowd\clvmrg\cellx1\cellx2\pard\intbl\cell 31\cell\row\pard after\par"
    )
    document = parse(rtf(body), "a.rtf")
    assert shown(document) == [
        ("paragraph", "before"), ("table_row", "Name: Anna Lee; Age: 30"), ("table_row", "Name: Anna Lee; Age: 31"),
        ("paragraph", "after"),
    ]  # fmt: skip
    assert [document.text[s:e] for s, e in document.blocks[1].attrs["cells"]] == ["Anna Lee", "30"]
    with pytest.raises(DocumentTooLarge):
        parse(rtf(body), "a.rtf", cells=3)


def test_a_table_in_a_cell_and_one_of_one_column(parse, shown) -> None:
    nested = r"\trowd\pard\intbl a {x\nestcell y\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables gone}}\cell b\cell\row"
    assert shown(parse(rtf(nested), "a.rtf")) == [("table_row", "a x y; b")]
    assert shown(parse(rtf(r"\trowd\pard\intbl only\cell\row"), "a.rtf")) == [("paragraph", "only")]


def test_numbers_of_lists_are_read_and_bullets_are_not(parse, shown) -> None:
    body = r"\pard\ls1{\listtext 1.\tab}First\par{\listtext\f1\'b7\tab}Second\par\pard{\*\pn\pnlvlblt}{\pntext a)\tab}Third\par\pard no\par"
    assert shown(parse(rtf(body), "a.rtf")) == [
        ("list_item", "1. First"), ("list_item", "Second"), ("list_item", "a) Third"), ("paragraph", "no"),
    ]  # fmt: skip


def test_notes_stand_at_the_end_and_page_headers_are_furniture_said_once(parse, shown) -> None:
    body = (
        r"{\header Firm\par}{\footer page}{\headerl Firm}Body{\super\chftn{\footnote\pard The note.\par more}} goes on"
        r"{\*\atnid A}{\*\atnauthor Ann}{\*\annotation A remark}.\par"
    )
    assert shown(parse(rtf(body), "a.rtf")) == [
        ("furniture", "Firm"), ("furniture", "page"), ("paragraph", "Body goes on."), ("footnote", "The note. more"),
        ("note", "A remark"),
    ]  # fmt: skip


@pytest.mark.parametrize("tail", ["", "\\", "\\bin99 x}", "{"])
def test_a_file_that_ends_in_the_middle_is_damaged(parse, tail: str) -> None:
    with pytest.raises(DocumentDamaged, match="ends in the middle"):
        parse(rtf(r"first\par {second")[:-1] + tail.encode(), "a.rtf")


def test_what_follows_the_last_brace_is_no_text(parse) -> None:
    assert parse(rtf("words") + b"\r\n\0junk}", "a.rtf").text == "words"


def test_groups_too_deep_are_refused_and_nothing_is_no_text(parse) -> None:
    with pytest.raises(DocumentRefused, match="500 groups"):
        parse(rtf("{" * 100_000 + "}" * 100_000), "a.rtf")
    assert parse(rtf("{" * 400 + "deep" + "}" * 400), "a.rtf").text == "deep"
    with pytest.raises(DocumentWithoutText):
        parse(rtf(r"\par \par"), "a.rtf")


def test_bytes_that_are_no_characters_are_reported(parse) -> None:
    document = parse(rtf(r"a \'81\'20", r"\ansi\ansicpg932"), "a.rtf")
    assert "could not be decoded" in document.warnings[0]


WORDS = [r"\par ", r"\cell ", r"\row ", r"\trowd ", r"\intbl ", r"\pard ", "{", "}", r"\u233?", r"\'81", r"\uc2 ", r"\v ", r"{\footnote ",
         r"{\*\x ", r"\bin3 ", "text ", r"\f1 ", r"\s1 ", r"{\listtext ", r"{\header ", "\\\n", r"\u-10179", r"\*", r"\nestcell "]  # fmt: skip


@given(words=st.lists(st.sampled_from(WORDS), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    try:
        document = RtfParser().parse(rtf("".join(words)), ParseContext(filename="a.rtf"))
    except DocumentError:
        return
    document.text.encode()
    assert "\\" not in document.text
    assert "{" not in document.text


@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Co", "Cn"]), min_size=1, max_size=60)
)
@settings(max_examples=100, deadline=None)
def test_any_text_written_as_unicode_comes_back(text: str) -> None:
    units = text.encode("utf-16-le")
    numbers = [int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2)]
    document = RtfParser().parse(rtf("".join(f"\\u{n}?" for n in numbers)), ParseContext(filename="a.rtf"))
    assert document.text == text


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        "{}",
        "word ",
        r"\par x",
        r"\cell x",
        r"\u233?",
        r"\'81",
        r"{\v x}",
        r"{\header x}",
        r"{\*\shpinst{\shptxt x}}",
        r"\bin1 x",
        r"\row",
        r"{\stylesheet{\s1 x;}}",
        "\\",
    ],
)
def test_time_grows_with_the_size_and_no_faster(piece: str) -> None:
    class Wrapped(RtfParser):
        def parse(self, data: bytes, context: ParseContext):
            return super().parse(b"{\\rtf1 " + data + b"}", context)

    assert_linear(Wrapped(), piece)
