"""Feeds of every kind on loopback: entries as documents, nothing twice, nothing withdrawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from local_site import Answer, Asked, Site, local_site

from knowledge.sources import feed_entries
from knowledge.sources.base import TEST_BYTES, SourceItemFailed, SourceLimits
from knowledge.sources.feed_entries import read_feed

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>News</title><link>http://example.org/</link>
<item><media:title>wrong</media:title><title>First &amp;amp; foremost</title><link>/first</link><guid isPermaLink="false">id-1</guid>
 <description>short</description><content:encoded><![CDATA[<p>The <b>whole</b> text.</p>]]></content:encoded>
 <pubDate>Wed, 01 Jul 2026 10:00:00 GMT</pubDate><dc:creator>Ann</dc:creator></item>
<item><title>Second</title><link>http://example.org/second</link><description>&lt;p&gt;Two&lt;/p&gt;</description></item>
<item><title>Second again</title><link>http://example.org/second</link></item>
<item><title>Third</title><guid>http://example.org/third</guid></item>
<item><description>Only words</description></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><id>urn:1</id><title type="html">A &amp;lt;b&amp;gt;</title>
<link rel="self" href="/self"/><link href="one"/><updated>2026-07-01T10:00:00Z</updated><author><name>Bob</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>In <i>XHTML</i></p></div></content></entry>
<entry><id>urn:2</id><title>B</title><summary>a &lt; b</summary></entry></feed>"""

JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "items": [
        {"id": 7, "title": "J\u0000", "url": "/j", "content_html": "<p>html</p>", "authors": [{"name": "Cid"}], "date_published": "2026-07-01T10:00:00+02:00"},
        {"id": "8", "content_text": "a < b \ud800"},
        "nonsense",
    ],
}  # fmt: skip

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel><title>x</title></channel><item rdf:about="y"><title>Old</title><link>http://example.org/old</link></item></rdf:RDF>"""


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as one:
        one.pages["/news/feed"] = Answer(RSS)
        yield one


@pytest.fixture
def source(site: Site, make_source: Any) -> Any:
    def make(limits: SourceLimits | None = None, **options: object) -> Any:
        return make_source("feed", {"url": f"{site.url}/news/feed", **options}, limits=limits)

    return make


def test_entries_are_offered_by_id_or_link(site: Site, source: Any, listed: Any) -> None:
    listing = listed(source())
    assert listing.keys[:3] == ["id-1", "http://example.org/second", "http://example.org/third"]
    assert listing.keys[3].startswith("sha256:")
    assert not listing.complete
    assert listing.problems == []
    first = listing["id-1"]
    assert (first.title, first.filename) == ("First & foremost", "First - foremost.html")
    assert first.uri == f"{site.url}/first"
    assert first.modified == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_entry_is_a_page_of_its_own(source: Any, listed: Any) -> None:
    one = source()
    data = one.fetch(listed(one)["id-1"]).data
    assert data is not None
    text = data.decode()
    assert "<h1>First &amp; foremost</h1><p>Ann · 2026-07-01</p><div><p>The <b>whole</b> text.</p></div>" in text
    assert "short" not in text


def test_another_instance_fetches_what_this_one_listed(source: Any, listed: Any) -> None:
    item = listed(source())["id-1"]
    assert b"whole" in (source().fetch(item).data or b"")


def test_atom_is_read() -> None:
    one, two = read_feed(ATOM.encode())
    assert (one.key, one.title, one.link, one.author) == ("urn:1", "A <b>", "one", "Bob")
    assert "<p>In <i>XHTML</i></p>" in one.content
    assert one.published == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert (two.content, two.link, two.published) == ("a &lt; b", "", None)


def test_json_feed_is_read() -> None:
    one, two = read_feed(json.dumps(JSON_FEED).encode())
    assert (one.key, one.title, one.link, one.content, one.author) == ("7", "J", "/j", "<p>html</p>", "Cid")
    assert one.published == datetime(2026, 7, 1, 8, tzinfo=UTC)
    assert two.content == "a &lt; b "


def test_old_rss_is_read() -> None:
    (one,) = read_feed(RDF.encode())
    assert (one.key, one.title) == ("http://example.org/old", "Old")


def test_unchanged_feed_costs_one_conditional_request(site: Site, source: Any, listed: Any) -> None:
    def answer(asked: Asked) -> Answer:
        return (
            Answer(status=304) if asked.headers.get("if-none-match") == '"1"' else Answer(RSS, headers={"ETag": '"1"'})
        )

    site.pages["/news/feed"] = answer
    first = listed(source())
    assert listed(source(), first.known).items == []
    assert len(listed(source(), {}).items) == 4  # nothing was taken in: all is offered again
    assert len(listed(source(), dict(list(first.known.items())[:2])).items) == 4
    assert len(listed(source(follow=True), first.known).items) == 4  # other settings, other documents


def test_changed_entry_has_another_fingerprint(site: Site, source: Any, listed: Any) -> None:
    first = listed(source())
    site.pages["/news/feed"] = Answer(RSS.replace("Two", "2"))
    second = listed(source(), first.known)
    assert [key for key in second.keys if second.known[key] != first.known[key]] == ["http://example.org/second"]


def test_pages_behind_entries_are_read_when_asked_for(site: Site, source: Any, listed: Any) -> None:
    site.pages["/first"] = Answer(status=302, headers={"Location": "/first.html"})
    site.pages["/first.html"] = "<title>Page</title><p>all of it</p>"
    one = source(follow=True)
    fetched = one.fetch(listed(one)["id-1"])
    assert fetched.data == b"<title>Page</title><p>all of it</p>"
    assert (fetched.item.title, fetched.item.filename) == ("First & foremost", "first.html")
    site.pages["/first"] = Answer(b"%PDF-1.4", headers={"Content-Type": "application/pdf"})
    assert one.fetch(listed(one)["id-1"]).item.filename == "first.pdf"
    site.pages["/first"] = Answer(b"x", headers={"Content-Type": "image/png"})
    with pytest.raises(SourceItemFailed, match="no page"):
        one.fetch(listed(one)["id-1"])
    site.pages["/first"] = Answer(status=404)
    with pytest.raises(SourceItemFailed, match="not there"):
        one.fetch(listed(one)["id-1"])


def test_link_to_an_internal_service_is_refused(site: Site, make_source: Any, listed: Any) -> None:
    with local_site() as sink:
        site.pages["/news/feed"] = Answer(RSS.replace("/first", f"{sink.url}/admin"))
        options = {"url": f"{site.url}/news/feed", "follow": True}
        one = make_source("feed", options, allow=(f"127.0.0.1:{site.port}",))
        with pytest.raises(SourceItemFailed, match="EGRESS_ALLOW"):
            one.fetch(listed(one)["id-1"])
        assert sink.asked == []


def test_only_so_many_entries_are_offered(source: Any, listed: Any) -> None:
    assert listed(source(entries=2)).keys == ["id-1", "http://example.org/second"]


def test_entry_that_left_the_feed_is_a_sentence(site: Site, source: Any, listed: Any) -> None:
    item = listed(source())["id-1"]
    site.pages["/news/feed"] = Answer(RDF)
    with pytest.raises(SourceItemFailed, match="no longer in the feed"):
        source().fetch(item)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<html><body>x</body></html>", "not that of a feed"),
        ("<rss><channel>", "not valid XML"),
        ('{"items": []}', "not that of a feed"),
        ("{" * 100_000, "not valid JSON"),
        ('{"a":' * 100_000, "not valid JSON"),
        ('<!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><channel><item><title>&b;</title></item></channel></rss>', "DTD"),
        ('<!DOCTYPE rss SYSTEM "http://example.org/x.dtd"><rss/>', "DTD"),
        ("<a>" * 100_000, "not valid XML"),
        ('<?xml version="1.0" encoding="UTF-16"?><rss/>', "not valid XML"),
        (b"x" * 2_000_000, "limit"),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_said(site: Site, source: Any, listed: Any, body: Any, says: str) -> None:
    site.pages["/news/feed"] = Answer(body)
    one = source(limits=SourceLimits(listing_bytes=1_000_000, seconds=5))
    assert says in one.check()[0]
    listing = listed(one)
    assert (listing.items, listing.complete) == ([], False)
    assert says in listing.problems[0].message


@pytest.mark.parametrize("body", ["<rss><channel>" + "<a/>" * 600_000, '{"items":[' + "0," * 2_000_001])
def test_a_feed_of_countless_parts_is_refused(site: Site, source: Any, listed: Any, body: str) -> None:
    site.pages["/news/feed"] = Answer(body)
    (problem,) = listed(source()).problems
    assert "which is not accepted" in problem.message


def test_only_as_many_entries_are_made_as_are_wanted(
    site: Site, source: Any, listed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def counted(entry: Any) -> Any:
        made.append(entry)
        return atom(entry)

    atom = feed_entries._atom
    monkeypatch.setattr(feed_entries, "_atom", counted)
    entries = "".join(f"<entry><id>{number}</id><title>t</title></entry>" for number in range(500))
    site.pages["/news/feed"] = Answer(f"<feed>{entries}</feed>")
    assert len(listed(source(entries=3)).items) == 3
    assert len(made) <= 4


def test_a_test_of_the_connection_reads_no_more_than_a_run_has_to(site: Site, source: Any, listed: Any) -> None:
    site.pages["/news/feed"] = Answer(b"<html>" + b"x" * TEST_BYTES)
    assert source().check() == []  # it answers; that it is no feed would take reading it all
    assert "not valid XML" in listed(source()).problems[0].message
    site.pages["/news/feed"] = Answer("<html/>")
    assert "not that of a feed" in source().check()[0]
