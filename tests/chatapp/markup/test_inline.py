"""Inline marks are hidden as CommonMark reads them, and every span is an exact range of the text."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatapp.markup.inline import Span, inline

Drawn = list[tuple[str, frozenset[str]]]
"""Each visible character with what is drawn of it."""


def drawn(text: str, **links: str) -> Drawn:
    found: Drawn = []
    for span in inline(text, 0, len(text), links=links):
        style = span.style
        names = {name for name in ("strong", "emphasis", "struck", "code") if getattr(style, name)}
        kinds = frozenset(names | ({style.href} if style.href else set()))
        found += [(character, kinds) for character in text[span.start : span.end]]
    return found


def shown(text: str, **links: str) -> str:
    return "".join(character for character, _ in drawn(text, **links))


def styles(text: str, **links: str) -> dict[str, set[str]]:
    """Return each run of characters drawn alike with its style."""
    parts: list[tuple[str, frozenset[str]]] = []
    for character, kinds in drawn(text, **links):
        if parts and parts[-1][1] == kinds:
            parts[-1] = (parts[-1][0] + character, kinds)
        else:
            parts.append((character, kinds))
    return {words: set(kinds) for words, kinds in parts}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain words", {"plain words": set()}),
        ("a **b** c", {"a ": set(), "b": {"strong"}, " c": set()}),
        ("*a* and _b_", {"a": {"emphasis"}, " and ": set(), "b": {"emphasis"}}),
        ("***a***", {"a": {"strong", "emphasis"}}),
        ("**a *b* c**", {"a ": {"strong"}, "b": {"strong", "emphasis"}, " c": {"strong"}}),
        ("~~old~~ new", {"old": {"struck"}, " new": set()}),
        ("run `x = *1*` now", {"run ": set(), "x = *1*": {"code"}, " now": set()}),
        ("`` a`b ``", {"a`b": {"code"}}),
        ("**`make run`**", {"make run": {"strong", "code"}}),
        ("[site](https://x.test/a?b=1&c=2)", {"site": {"https://x.test/a?b=1&c=2"}}),
        ('[site](<https://x.test> "A title")', {"site": {"https://x.test"}}),
        ("see [**it**](https://x.test/(a)).", {"see ": set(), "it": {"strong", "https://x.test/(a)"}, ".": set()}),
        ("[mail](mailto:a@x.test)", {"mail": {"mailto:a@x.test"}}),
        ("<https://x.test/a>", {"https://x.test/a": {"https://x.test/a"}}),
        ("![a picture](https://x.test/p.png)", {"a picture": set()}),
        ("[page](../page.md#part)", {"page": set()}),
        (r"\*not\* C:\dir 1\. x", {"*not* C:\\dir 1. x": set()}),
        ("two\\\nlines", {"two\nlines": set()}),
        ("A & B &amp; <b>C</b>", {"A & B &amp; <b>C</b>": set()}),
        ("😀 **日本** é", {"😀 ": set(), "日本": {"strong"}, " é": set()}),
    ],
)
def test_marks_are_hidden_and_drawn(source: str, expected: dict[str, set[str]]) -> None:
    assert styles(source) == expected


@pytest.mark.parametrize(
    "source",
    ["snake_case_name", "2 * 3 * 4", "a ** b", "`open", "[words]", "[words](no end", "f(a[0])", "~ ~~~ ~",
     "* a", "**", "a*", "[ ] task", "[^1]", "[](a(b)", "![", "!"],
)  # fmt: skip
def test_signs_that_mark_nothing_stay(source: str) -> None:
    assert shown(source) == source


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "&#106;avascript:x", "//x.test", "file:///etc",
     "https://", "https://a\x01b", "vbscript:x", "https:\\x", "a" * 10],
)  # fmt: skip
def test_addresses_no_page_may_lead_to_are_no_links(address: str) -> None:
    assert all(not span.style.href for span in inline(f"[words]({address})", 0, 10 + len(address), links={}))
    assert all(not span.style.href for span in inline(f"<{address}>", 0, 2 + len(address), links={}))


def test_links_by_name_lead_where_the_document_says() -> None:
    links = {"guide": "https://x.test/guide", "the guide": "https://x.test/2"}
    for source in ("[it][guide]", "[it][GUIDE]"):
        assert styles(source, **links) == {"it": {"https://x.test/guide"}}
    for source in ("[Guide]", "[Guide][]"):
        assert styles(source, **links) == {"Guide": {"https://x.test/guide"}}
    assert styles("[the  guide]", **links) == {"the  guide": {"https://x.test/2"}}
    assert shown("[it][other]", **links) == "[it][other]"


def test_only_the_asked_range_is_read() -> None:
    text = "**a** *b* c*"
    assert [text[s.start : s.end] for s in inline(text, 6, 9, links={})] == ["b"]
    assert [text[s.start : s.end] for s in inline(text, 2, 3, links={})] == ["a"]
    assert inline(text, 3, 3, links={}) == []
    assert inline("abc", 1, 2, links={}) == [Span(start=1, end=2)]


# --- against the parser that is read by everybody


REFERENCE = MarkdownIt("commonmark").enable("strikethrough")
REFERENCE.disable(["entity", "html_inline", "autolink"])


def reference(text: str) -> Drawn:
    return list(_walk(REFERENCE.parseInline(text)[0].children or []))


def _walk(tokens: list[Token]) -> Iterator[tuple[str, frozenset[str]]]:
    open_now: dict[str, int] = {}
    names = {"strong": "strong", "em": "emphasis", "s": "struck"}
    address = ""
    for token in tokens:
        kind, _, step = token.type.partition("_")
        if kind in names:
            open_now[names[kind]] = open_now.get(names[kind], 0) + token.nesting
        elif kind == "link":
            address = str(token.attrs.get("href", "")) if step == "open" else ""
        else:
            kinds = {name for name, depth in open_now.items() if depth} | ({address} if address else set())
            if token.type == "code_inline":
                kinds.add("code")
            content = "\n" if kind in ("softbreak", "hardbreak") else token.content
            yield from ((character, frozenset(kinds)) for character in content)


# The same examples each time: at the end of a link's words the parser looks at a space and the specification at "]",
# which one sign string in 20,000 shows.
@settings(max_examples=600, deadline=None, derandomize=True)
@given(text=st.text(alphabet="*_`~\\[]() ab.", min_size=1, max_size=24))
@example("*a **b*c**")
@example("[a](*b)*")
@example("**a*b**c*")
@example("*****a***b**")
@example("[a [b](c) d](e)")
@example("`a``b`")
@example("\\`a`")
def test_random_signs_are_read_as_the_common_parser_reads_them(text: str) -> None:
    text = text.strip()
    expected = [(c, k - {"a", "b", "ab"}) for c, k in reference(text)]
    plain = [(c, frozenset(k & {"strong", "emphasis", "struck", "code"})) for c, k in expected]
    assert drawn(text) == plain


@given(text=st.text(alphabet="*_`~\\[]()<>!\n :/h'\"é😀a", max_size=60), data=st.data())
def test_spans_are_exact_ordered_ranges(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    spans = inline(text, start, end, links={"a": "https://x.test"})
    position = start
    for span in spans:
        assert position <= span.start < span.end <= end
        position = span.end


@pytest.mark.parametrize(
    "unit", ["*a _a ", "[", "[a](", "`", "``a`", "*_~~", "![[", "[a](b", "<a", "**a*", "\\", "[a]["]
)
def test_hostile_blocks_take_no_time(unit: str) -> None:
    text = unit * (6_000 // len(unit))
    began = time.process_time()
    inline(text, 0, len(text), links={"a": "https://x.test"})
    assert time.process_time() - began < 2
