"""What is read of a page, and that no page makes the reading slow."""

from __future__ import annotations

import time

import pytest

from knowledge.egress import parse_address
from knowledge.sources.page_facts import page_digest, page_facts
from knowledge.sources.robots import Robots
from knowledge.sources.urls import Within, alike, canonical, joined


def test_facts_of_a_page() -> None:
    facts = page_facts(
        """<!DOCTYPE html><html><head><TITLE> A &amp;
        B </TITLE><base href='/base/'><link REL="next canonical" href=/own?a=1&amp;b=2>
        <meta name=robots content="NoIndex,NOFOLLOW"></head>
        <a class="x>y" href="one">1</a><A HREF='two' rel="nofollow">2</A><a href = three >3</a>
        <!-- <a href="commented"> --><script>"<a href='scripted'>"</script><a name="anchor">4</a>
        <svg><title>other</title></svg><area href="four"><noscript><iframe src="five"></iframe></noscript><abbr href="no"><a href="it's">5</a>"""
    )
    assert facts.title == "A & B"
    assert facts.base == "/base/"
    assert facts.canonical == "/own?a=1&b=2"
    assert facts.links == ["one", "three", "four", "five", "it's"]
    assert facts.is_hidden
    assert facts.keeps_links


@pytest.mark.parametrize(
    "piece",
    ["<!--", "<script>", "<a ", '<a "', "<a href='", "<title>", "<a href=x ", "<a =", "<a\n", "<a x=", "<meta name", "<", "İ<a href=x>"],
)  # fmt: skip
def test_hostile_page_takes_time_in_proportion(piece: str) -> None:
    source = piece * (2_000_000 // len(piece))
    start = time.process_time()
    page_facts(source)
    page_digest(source)
    assert time.process_time() - start < 5


SHOWN = "<html><head><title>T</title></head><body><h1>A</h1><p>one  two</p></body></html>"


@pytest.mark.parametrize(
    "page",
    [
        SHOWN.replace("<h1>", '<h1 class="x" data-token="9f3">'),
        SHOWN.replace("one  two", "one\n two"),
    ],
)
def test_tokens_and_white_space_do_not_change_what_a_page_shows(page: str) -> None:
    assert page_digest(page) == page_digest(SHOWN)


@pytest.mark.parametrize(
    "hidden", ["<script>t={}</script>", "<!-- {} -->", "<style>.a{}</style>", '<input type="hidden" value="{}">']
)
def test_what_no_reader_sees_does_not_count(hidden: str) -> None:
    pages = {page_digest(SHOWN.replace("<h1>", hidden.replace("{}", token) + "<h1>")) for token in ("1", "2")}
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one", "One"),
        ("h1", "h2"),
        ("<title>T", "<title>U"),
        ("two</p>", "two</p><p>three</p>"),
        ("one  two", "onetwo"),
    ],
)
def test_what_a_reader_sees_does_count(old: str, new: str) -> None:
    assert page_digest(SHOWN.replace(old, new)) != page_digest(SHOWN)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("HTTP://Example.ORG:80/A/../b/./c#x", "http://example.org/b/c"),
        ("http://example.org/?utm_source=a&id=1&gclid=b#x", "http://example.org/?id=1"),
        ("http://example.org/?utm_source=a", "http://example.org/"),
        ("http://example.org/a;jsessionid=1F?x=y", "http://example.org/a?x=y"),
        ("http://example.org/%7euser/%2fa%3f", "http://example.org/~user/%2Fa%3F"),
        ("http://example.org/a/%2E%2E/b/..", "http://example.org/"),
        ("http://example.org/a/b/..", "http://example.org/a/"),
        ("http://example.org/A/?b=&c", "http://example.org/A/?b=&c"),
    ],
)
def test_canonical_addresses(written: str, same: str) -> None:
    assert canonical(parse_address(written)).url == same
    assert canonical(parse_address(same)).url == same


def test_twins_are_told_by_case_slash_and_index() -> None:
    twins = {alike(parse_address(f"http://example.org{path}")) for path in ("/A/b", "/a/B/", "/a/b/index.html")}
    assert len(twins) == 1
    assert alike(parse_address("http://example.org/a/b?x=1")) not in twins


@pytest.mark.parametrize(
    "link", ["mailto:a@b", "javascript:x", "data:x", "http://[", "file:///x", "tel:1", "http://a@b/"]
)
def test_links_to_other_things_lead_nowhere(link: str) -> None:
    assert joined(parse_address("http://example.org/a/"), link) is None


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("b c", "http://example.org/a/b%20c"),
        ("\n/x\t", "http://example.org/x"),
        ("//other.example/x", "http://other.example/x"),
        ("?q=1", "http://example.org/a/?q=1"),
        ("", "http://example.org/a/"),
        ("x:y", None),
        ("./x:y", "http://example.org/a/x:y"),
    ],
)
def test_links_are_joined(link: str, found: str | None) -> None:
    target = joined(parse_address("http://example.org/a/"), link)
    assert (target.url if target else None) == found


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("https://example.org/docs/a", "https://example.org/docs/a"),
        ("http://example.org/docs/a", "https://example.org/docs/a"),
        ("https://example.org/docs", "https://example.org/docs"),
        ("https://example.org/docsy", None),
        ("https://example.org/", None),
        ("https://sub.example.org/docs/a", None),
        ("https://example.org:8443/docs/a", None),
    ],
)
def test_what_lies_within_a_site(url: str, inside: str | None) -> None:
    within = Within.of(parse_address("https://example.org/docs/start.html"))
    found = within.admit(parse_address(url))
    assert (found.url if found else None) == inside


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("Disallow:", "/a", True),
        ("Disallow: /", "/a", False),
        ("Disallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("Allow: /a/b\nDisallow: /a", "/a/b/c", True),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Disallow: /*?print", "/x?print=1", False),
        ("Disallow: /*.pdf$", "/x.pdf", False),
        ("Disallow: /*.pdf$", "/x.pdf?y", True),
        ("Disallow: /a$", "/a", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: /a*b*c", "/axxbyyc/z", False),
        ("Disallow: /a*b*c", "/axxcyyb", True),
        ("Disallow: /x$y", "/x$y/z", False),
        ("# Disallow: /\nDISALLOW : /a # b", "/a", False),
        ("Noindex: /a\nnonsense", "/a", True),
    ],
)
def test_rules_of_robots(rules: str, path: str, allowed: bool) -> None:
    assert Robots.read(f"\ufeffUser-Agent: *\n{rules}").allows(path) is allowed


def test_groups_of_robots() -> None:
    text = "User-agent: a\nUser-agent: footnote\nDisallow: /x\nCrawl-delay: 2.5\n\nUser-agent: *\nDisallow: /\n\nUser-agent: FootNote\nDisallow: /y"
    robots = Robots.read(text)
    assert (robots.allows("/x"), robots.allows("/y"), robots.allows("/z"), robots.delay) == (False, False, True, 2.5)


def test_rules_before_any_agent_and_endless_stars_do_nothing() -> None:
    assert Robots.read("Disallow: /\nUser-agent: *\nDisallow: /" + "*a" * 500).allows("/" + "a" * 5000)
