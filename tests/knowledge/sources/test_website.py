"""A real small site on loopback: what a walk offers, what it spares the site, and what must not withdraw pages."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_site import Answer, Asked, Site, local_site

from knowledge.sources.base import SourceItemFailed, SourceLimits, SourceMisconfigured
from knowledge.sources.page_memory import load_notes

HTML = {"Content-Type": "text/html; charset=utf-8"}


def page(*links: str, title: str = "", head: str = "", text: str = "words") -> str:
    anchors = "".join(f'<a href="{link}">x</a>' for link in links)
    return f"<html><head><title>{title}</title>{head}</head><body>{anchors}<p>{text}</p></body></html>"


def tagged(body: str | bytes, **headers: str) -> Callable[[Asked], Answer]:
    """A page with an ETag that answers 304 to it."""
    etag = f'"{hashlib.md5(body.encode() if isinstance(body, str) else body).hexdigest()}"'

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == etag:
            return Answer(status=304, headers={"ETag": etag})
        return Answer(body, headers={**HTML, **headers, "ETag": etag})

    return answer


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as one:
        one.pages["/docs/"] = page(
            "a", "b.html#part", "/docs/files/c.pdf", "/other", "https://example.org/x", title="Start &amp; all"
        )
        one.pages["/docs/a"] = page("deep", "../docs/", "mailto:x@example.org", "javascript:x", title="A")
        one.pages["/docs/b.html"] = page("/docs/a?utm_source=x&fbclid=y", title="B")
        one.pages["/docs/deep"] = page("deeper", title="Deep")
        one.pages["/docs/deeper"] = page(title="Deeper")
        one.pages["/docs/files/c.pdf"] = Answer(b"%PDF-1.4 c", headers={"Content-Type": "application/pdf"})
        one.pages["/other"] = page(title="Outside")
        yield one


@pytest.fixture
def source(site: Site, make_source: Any) -> Any:
    def make(limits: SourceLimits | None = None, run: str = "", **options: object) -> Any:
        return make_source("website", {"url": f"{site.url}/docs/", "pause": 0, **options}, limits=limits, run=run)

    return make


def paths(site: Site, listing: Any) -> list[str]:
    return [key.removeprefix(site.url) for key in listing.keys]


def test_links_are_followed_below_the_start(site: Site, source: Any, listed: Any) -> None:
    listing = listed(source())
    assert paths(site, listing) == [
        "/docs/",
        "/docs/a",
        "/docs/b.html",
        "/docs/files/c.pdf",
        "/docs/deep",
        "/docs/deeper",
    ]
    assert listing.complete
    assert listing.problems == []
    start, pdf = listing.items[0], listing.items[3]
    assert (start.title, start.filename, start.uri) == ("Start & all", "docs.html", f"{site.url}/docs/")
    assert (pdf.title, pdf.filename) == ("", "c.pdf")
    assert all(path.startswith(("/docs/", "/robots.txt")) for path in site.paths)


def test_each_page_is_asked_for_once_and_fetched_from_what_was_read(site: Site, source: Any, listed: Any) -> None:
    one = source()
    listing = listed(one)
    for item in listing.items:
        assert one.fetch(item).data
    assert one.fetch(listing[f"{site.url}/docs/files/c.pdf"]).data == b"%PDF-1.4 c"  # asked for again
    assert len(site.paths) == len(set(site.paths)) + 1


def test_another_instance_fetches_what_this_one_listed(site: Site, source: Any, listed: Any, tmp_path: Path) -> None:
    items = listed(source()).items
    assert source().fetch(items[1]).data == site.pages["/docs/a"].encode()  # type: ignore[union-attr]
    fetched = source().fetch(items[1])
    assert (fetched.item, fetched.data) == (items[1], site.pages["/docs/a"].encode())  # type: ignore[union-attr]


def test_unchanged_site_costs_conditional_requests_and_no_bodies(site: Site, source: Any, listed: Any) -> None:
    for path, body in list(site.pages.items()):
        site.pages[path] = tagged(body) if isinstance(body, str) else body
    first = listed(source())
    site.forget()
    second = listed(source(), first.known)
    assert second.known == first.known
    assert second.complete
    conditional = [one.path for one in site.asked if "if-none-match" in one.headers]
    assert conditional == ["/docs/", "/docs/a", "/docs/b.html", "/docs/deep", "/docs/deeper"]


def test_page_that_was_not_taken_in_is_asked_for_in_full(site: Site, source: Any, listed: Any) -> None:
    """A run that failed after listing must not make the next one believe that the page is there."""
    site.pages["/docs/"] = tagged(page("a"))
    first = listed(source())
    site.forget()
    again = source()
    item = listed(again, {}).items[0]
    assert all("if-none-match" not in one.headers for one in site.asked)
    assert again.fetch(item).data == page("a").encode()
    assert item == first.items[0]


def test_changed_page_has_another_fingerprint(site: Site, source: Any, listed: Any) -> None:
    first = listed(source())
    site.pages["/docs/a"] = page("deep", title="A", text="other words")
    second = listed(source(), first.known)
    assert [key for key in second.keys if second.known[key] != first.known[key]] == [f"{site.url}/docs/a"]


def test_page_with_a_new_token_in_every_reply_is_unchanged(site: Site, source: Any, listed: Any) -> None:
    tokens = iter(range(9))
    site.pages["/docs/"] = lambda asked: Answer(page(head=f'<meta name="csrf" content="{next(tokens)}">'), headers=HTML)
    first = listed(source())
    assert listed(source(), first.known).known == first.known


def test_last_modified_is_asked_with_where_there_is_no_etag(site: Site, source: Any, listed: Any) -> None:
    stamp = "Wed, 01 Jul 2026 10:00:00 GMT"

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-modified-since") == stamp:
            return Answer(status=304)
        return Answer(page(), headers={**HTML, "Last-Modified": stamp})

    site.pages["/docs/"] = answer
    first = listed(source())
    assert first.items[0].modified
    assert first.items[0].modified.year == 2026
    assert listed(source(), first.known).items == first.items


def test_vanished_page_is_absent_from_a_whole_listing(site: Site, source: Any, listed: Any) -> None:
    del site.pages["/docs/deeper"]
    listing = listed(source())
    assert f"{site.url}/docs/deeper" not in listing.keys
    assert listing.complete
    assert listing.problems == []


@pytest.mark.parametrize("status", [403, 500, 503])
def test_page_that_fails_hides_nothing_it_linked_to(site: Site, source: Any, listed: Any, status: int) -> None:
    first = listed(source())
    site.pages["/docs/a"] = Answer(status=status)
    second = listed(source(), first.known)
    assert set(first.keys) - set(second.keys) == {f"{site.url}/docs/a"}
    assert [problem.key for problem in second.problems] == [f"{site.url}/docs/a"]
    assert second.complete
    third = listed(source(), first.known)  # the note outlives the failure
    assert third.complete


def test_page_that_fails_unseen_makes_the_listing_incomplete(site: Site, source: Any, listed: Any) -> None:
    site.pages["/docs/a"] = Answer(status=500)
    listing = listed(source())
    assert not listing.complete
    assert f"{site.url}/docs/deep" not in listing.keys


@pytest.mark.parametrize("status", [404, 500])
def test_start_that_fails_withdraws_nothing(site: Site, source: Any, listed: Any, status: int) -> None:
    first = listed(source())
    site.pages["/docs/"] = Answer(status=status)
    second = listed(source(), first.known)
    assert not second.complete
    assert second.problems


def test_site_that_is_down_withdraws_nothing(site: Site, make_source: Any, listed: Any) -> None:
    listing = listed(make_source("website", {"url": "http://127.0.0.1:1/docs/"}), {"x": "y"})
    assert (listing.items, listing.complete) == ([], False)
    assert "connection refused" in listing.problems[0].message


def test_limits_of_pages_and_depth(site: Site, source: Any, listed: Any) -> None:
    shallow = listed(source(depth=1))
    assert paths(site, shallow) == ["/docs/", "/docs/a", "/docs/b.html", "/docs/files/c.pdf"]
    assert shallow.complete
    short = listed(source(pages=2))
    assert len(short.items) == 2
    assert not short.complete
    assert "more than 2 pages" in short.problems[0].message


def test_patterns_choose_what_is_offered_not_what_is_followed(site: Site, source: Any, listed: Any) -> None:
    assert paths(site, listed(source(include=["docs/deep*"]))) == ["/docs/deep", "/docs/deeper"]
    assert "/docs/files/c.pdf" not in paths(site, listed(source(exclude=["*.pdf"])))
    assert "/docs/files/c.pdf" not in paths(site, listed(source(files=False)))


def test_other_folder_can_be_chosen(site: Site, make_source: Any, listed: Any) -> None:
    whole = make_source("website", {"url": f"{site.url}/docs/", "below": "/", "pause": 0})
    assert "/other" in paths(site, listed(whole))


# --- one page, one address


def test_canonical_address_is_the_key_and_is_offered_once(site: Site, source: Any, listed: Any) -> None:
    own = '<link rel="canonical" href="/docs/real">'
    site.pages["/docs/"] = page("print?page=1", "real", "real/?utm_medium=mail")
    site.pages["/docs/print"] = page(title="R", head=own)
    site.pages["/docs/real"] = page(title="R", head=own)
    site.pages["/docs/real/"] = page(title="R", head=own)
    assert paths(site, listed(source())) == ["/docs/", "/docs/real"]


def test_canonical_address_elsewhere_is_not_believed(site: Site, source: Any, listed: Any) -> None:
    site.pages["/docs/"] = page(head='<link rel=canonical href="https://example.org/docs/">')
    assert paths(site, listed(source())) == ["/docs/"]


def test_twins_by_case_slash_and_index_are_one_when_they_are_equal(site: Site, source: Any, listed: Any) -> None:
    site.pages["/docs/"] = page("x", "x/", "X", "y", "y/", "x/index.html", "%78")
    for twin in ("/docs/x", "/docs/x/", "/docs/X", "/docs/x/index.html"):
        site.pages[twin] = page(title="X")
    site.pages["/docs/y"], site.pages["/docs/y/"] = page(title="Y"), page(title="another")
    assert paths(site, listed(source())) == ["/docs/", "/docs/x", "/docs/y", "/docs/y/"]


def test_redirects_inside_give_the_address_they_lead_to(site: Site, source: Any, listed: Any) -> None:
    site.pages["/docs/"] = page("old", "new", "leaves")
    site.pages["/docs/old"] = Answer(status=301, headers={"Location": "/docs/new"})
    site.pages["/docs/leaves"] = Answer(status=302, headers={"Location": "/other"})
    site.pages["/docs/new"] = page(title="New")
    assert paths(site, listed(source())) == ["/docs/", "/docs/new"]
    assert site.paths.count("/docs/new") == 2  # once for the link, met before it was known to be the same


def test_redirect_to_an_internal_service_is_a_problem_and_the_service_hears_nothing(
    site: Site, make_source: Any, listed: Any
) -> None:
    with local_site() as sink:
        site.pages["/docs/"] = page("in")
        site.pages["/docs/in"] = Answer(status=302, headers={"Location": f"{sink.url}/admin"})
        options = {"url": f"{site.url}/docs/", "pause": 0}
        listing = listed(make_source("website", options, allow=(f"127.0.0.1:{site.port}",)))
        assert "may not be reached" in listing.problems[0].message
        assert sink.asked == []


def test_hidden_pages_are_followed_and_not_offered(site: Site, source: Any, listed: Any) -> None:
    site.pages["/docs/"] = page("m", "h", "n", "o")
    site.pages["/docs/m"] = page("a", head='<meta name="robots" content="noindex, follow">')
    site.pages["/docs/h"] = Answer(page("b.html"), headers={**HTML, "X-Robots-Tag": "noindex"})
    site.pages["/docs/n"] = page("deep", title="N", head="<META CONTENT=nofollow NAME=ROBOTS>")
    site.pages["/docs/o"] = Answer(page(), headers={**HTML, "X-Robots-Tag": "otherbot: noindex"})
    found = paths(site, listed(source(depth=2)))
    assert sorted(found) == ["/docs/", "/docs/a", "/docs/b.html", "/docs/n", "/docs/o"]


def test_long_address_is_a_problem(site: Site, source: Any, listed: Any) -> None:
    site.pages["/docs/"] = page("x" * 2100)
    site.pages["/docs/" + "x" * 2100] = page()
    assert "longer than 2,000" in listed(source()).problems[0].message


# --- robots.txt


def test_robots_are_obeyed(site: Site, source: Any, listed: Any) -> None:
    site.pages["/robots.txt"] = "User-agent: *\nDisallow: /docs/a\nDisallow: /*.pdf$\n\nUser-agent: evil\nDisallow: /"
    assert paths(site, listed(source())) == ["/docs/", "/docs/b.html"]
    assert "/docs/a" not in site.paths


def test_robots_that_name_us_go_before_those_for_all(site: Site, source: Any, listed: Any) -> None:
    site.pages["/robots.txt"] = "User-agent: *\nDisallow: /\n\nUser-agent: Footnote/2\nDisallow: /docs/deep"
    assert paths(site, listed(source())) == ["/docs/", "/docs/a", "/docs/b.html", "/docs/files/c.pdf"]


def test_site_that_forbids_its_start_is_said(site: Site, source: Any, listed: Any) -> None:
    site.pages["/robots.txt"] = "User-agent: *\nDisallow: /"
    listing = listed(source())
    assert (listing.items, listing.complete) == ([], False)
    assert source().check() == ["The site's robots.txt does not let the start page be read."]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_robots_that_cannot_be_read_stop_the_walk(site: Site, source: Any, listed: Any, status: int) -> None:
    site.pages["/robots.txt"] = Answer(status=status)
    listing = listed(source())
    assert (listing.items, listing.complete) == ([], False)
    assert site.paths == ["/robots.txt"]


def test_pause_is_the_longer_of_ours_and_theirs(site: Site, source: Any, listed: Any, monkeypatch: Any) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    site.pages["/robots.txt"] = "User-agent: *\nCrawl-delay: 7"
    listed(source(pause=2, depth=1))
    assert pauses == [7, 7, 7]


def test_server_that_asks_for_patience_is_asked_once_more(site: Site, source: Any, listed: Any) -> None:
    answers = iter([Answer(status=429, headers={"Retry-After": "0"}), Answer(page(), headers=HTML)])
    site.pages["/docs/"] = lambda asked: next(answers)
    assert listed(source()).complete


# --- sitemaps


def urlset(*entries: tuple[str, str]) -> str:
    urls = "".join(f"<url><loc>{loc}</loc><lastmod>{date}</lastmod></url>" for loc, date in entries)
    return f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'


def index(*locs: str) -> str:
    maps = "".join(f"<sitemap><loc>{loc}</loc></sitemap>" for loc in locs)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{maps}</sitemapindex>'


@pytest.fixture
def mapped(site: Site, source: Any) -> Any:
    def make(**options: object) -> Any:
        return source(sitemap=f"{site.url}/sitemap.xml", **options)

    return make


def test_sitemap_index_and_gzip_are_read(site: Site, mapped: Any, listed: Any) -> None:
    site.pages["/sitemap.xml"] = index(f"{site.url}/one.xml.gz", f"{site.url}/two.xml", "http://127.0.0.2/three.xml")
    site.pages["/one.xml.gz"] = gzip.compress(urlset((f"{site.url}/docs/a", "")).encode())
    site.pages["/two.xml"] = urlset(
        (f"{site.url}/docs/b.html", ""), (f"{site.url}/other", ""), ("https://example.org/", "")
    )
    listing = listed(mapped())
    assert paths(site, listing) == ["/docs/a", "/docs/b.html"]
    assert listing.complete
    assert "/docs/deep" not in site.paths  # links of listed pages are not followed


def test_links_noted_under_other_settings_are_not_followed(site: Site, source: Any, mapped: Any, listed: Any) -> None:
    for path, body in list(site.pages.items()):
        site.pages[path] = tagged(body) if isinstance(body, str) else body
    first = listed(source(below="/"))
    assert "/other" in paths(site, first)
    assert "/other" not in paths(site, listed(source(), first.known))
    site.pages["/sitemap.xml"] = urlset((f"{site.url}/docs/a", ""))
    assert paths(site, listed(mapped(), first.known)) == ["/docs/a"]


def test_start_address_that_is_a_sitemap_is_one(site: Site, make_source: Any, listed: Any) -> None:
    site.pages["/docs/sitemap.xml"] = urlset(("/docs/a", ""))
    assert paths(site, listed(make_source("website", {"url": f"{site.url}/docs/sitemap.xml"}))) == ["/docs/a"]


def test_plain_list_of_addresses_is_a_sitemap(site: Site, source: Any, listed: Any) -> None:
    site.pages["/sitemap.txt"] = f"{site.url}/docs/a\nnonsense\n{site.url}/docs/b.html\n"
    assert paths(site, listed(source(sitemap=f"{site.url}/sitemap.txt"))) == ["/docs/a", "/docs/b.html"]


def test_dates_of_the_sitemap_spare_requests_only_when_trusted(site: Site, mapped: Any, listed: Any) -> None:
    site.pages["/sitemap.xml"] = urlset((f"{site.url}/docs/a", "2026-01-01"), (f"{site.url}/docs/b.html", "2026-01-01"))
    first = listed(mapped())
    site.forget()
    assert listed(mapped(), first.known).known == first.known
    assert "/docs/a" in site.paths
    site.forget()
    site.pages["/sitemap.xml"] = urlset((f"{site.url}/docs/a", "2026-01-02"), (f"{site.url}/docs/b.html", "2026-01-01"))
    assert listed(mapped(trust_dates=True), first.known).known == first.known
    assert site.paths == ["/robots.txt", "/sitemap.xml", "/docs/a"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (Answer(status=500), "HTTP 500"),
        ("<html><body>Not found</body></html>", "not a sitemap"),
        ("<urlset><url>", "not valid XML"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><urlset><url><loc>&a;</loc></url></urlset>', "DTD"),
        (index("/part.xml"), "HTTP 404"),
        (gzip.compress(b" " * 3_000_000), "limit"),
        (b"\x1f\x8bnonsense", "not"),
        ("a " * 50_001, "more than 50,000 addresses"),
    ],
)
def test_broken_sitemap_withdraws_nothing(site: Site, mapped: Any, listed: Any, body: Any, says: str) -> None:
    site.pages["/sitemap.xml"] = body
    listing = listed(mapped(limits=SourceLimits(listing_bytes=1_000_000)), {"x": "y"})
    assert not listing.complete
    assert says in listing.problems[0].message


def test_listed_page_that_fails_is_a_problem_and_hides_no_other(site: Site, mapped: Any, listed: Any) -> None:
    site.pages["/sitemap.xml"] = urlset(
        (f"{site.url}/docs/a", ""), (f"{site.url}/docs/b.html", ""), (f"{site.url}/docs/gone", "")
    )
    site.pages["/docs/a"] = Answer(status=500)
    listing = listed(mapped())
    assert paths(site, listing) == ["/docs/b.html"]
    assert [problem.key for problem in listing.problems] == [f"{site.url}/docs/a"]
    assert listing.complete


def test_site_without_any_page_left_is_doubted(site: Site, mapped: Any, listed: Any) -> None:
    site.pages["/sitemap.xml"] = urlset()
    assert listed(mapped()).complete
    listing = listed(mapped(), {"x": "y"})
    assert not listing.complete
    assert "None is withdrawn" in listing.problems[0].message


# --- fetching


def test_page_in_another_charset_reaches_the_parser_as_utf_8(site: Site, source: Any, listed: Any) -> None:
    body = page(text="Привет, мир").encode("cp1251")
    site.pages["/docs/"] = Answer(body, headers={"Content-Type": "text/html; charset=windows-1251"})
    one = source()
    item = listed(one).items[0]
    for _ in range(2):  # kept from listing, and asked for again
        fetched = one.fetch(item)
        assert fetched.data
        assert "Привет, мир" in fetched.data.decode("utf-8-sig")
        assert fetched.item.fingerprint == item.fingerprint


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=404), "not there"),
        (Answer(status=403), "may not be read"),
        (Answer("x", headers={"Content-Type": "video/mp4"}), "no longer"),
        (Answer(status=302, headers={"Location": "http://localhost:1/"}), "cannot be reached"),
    ],
)
def test_page_that_cannot_be_fetched_is_a_sentence(
    site: Site, make_source: Any, listed: Any, answer: Answer, says: str
) -> None:
    one = make_source("website", {"url": f"{site.url}/docs/", "pause": 0}, allow=("127.0.0.1", "localhost"))
    item = listed(one).items[1]
    one.fetch(item)
    site.pages["/docs/a"] = answer
    with pytest.raises(SourceItemFailed, match=says):
        one.fetch(item)


def test_memory_is_private_and_may_be_lost(site: Site, source: Any, listed: Any, tmp_path: Path) -> None:
    first = listed(source())
    memory = tmp_path / "work" / "pages.json"
    assert len(load_notes(tmp_path / "work")) == 6
    assert (memory.stat().st_mode & 0o777, memory.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for broken in ("", "{}", '{"version": 1, "links": [], "pages": {"x": {"links": [7]}}}'):
        memory.write_text(broken)
        assert listed(source(), first.known).known == first.known


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "http://user@example.org/", "http://exa mple/", "http://127.1/", "x\\y"]
)
def test_address_that_is_none_is_refused_at_once(make_source: Any, url: str) -> None:
    with pytest.raises(SourceMisconfigured, match="Start address"):
        make_source("website", {"url": url})


def test_internal_site_is_refused_by_default(site: Site, make_source: Any, listed: Any) -> None:
    one = make_source("website", {"url": f"{site.url}/docs/"}, allow=())
    assert "EGRESS_ALLOW" in one.check()[0]
    assert not listed(one).complete
    assert site.asked == []


def test_check_says_nothing_of_a_good_site(source: Any, site: Site) -> None:
    assert source().check() == []
    site.pages["/docs/"] = Answer(status=401)
    assert source().check() == [f"{site.url}/docs/: It asks for a sign-in (HTTP 401)."]


# --- runs that are stopped


def stopped(source: Any, after: int, known: dict[str, str] | None = None) -> list[Any]:
    """List a source until so many things were offered, as a worker does whose time is up."""
    listing = source.items(known or {})
    found = [next(listing) for _ in range(after)]
    listing.close()
    return found


def test_a_run_that_was_stopped_goes_on_behind_what_it_visited(
    site: Site, source: Any, listed: Any, tmp_path: Path
) -> None:
    site.pages["/docs/"] = page("a", "b.html", "gone", "broken", "hidden", "old")
    site.pages["/docs/hidden"] = page("behind", head='<meta name="robots" content="noindex">')
    site.pages["/docs/behind"] = page("last", title="Behind")
    site.pages["/docs/last"] = page(title="Last")
    site.pages["/docs/broken"] = Answer(status=500)
    site.pages["/docs/old"] = Answer(status=302, headers={"Location": "/docs/b.html"})
    whole = listed(source())
    (tmp_path / "work" / "pages.json").unlink()
    site.forget()
    stopped(source(run="one"), 7)  # the start, a, b, broken, deep, behind, last
    first = site.paths
    with (tmp_path / "work" / "visits.jsonl").open("a") as file:
        file.write('{"url": "cut o')  # the worker was killed
    (tmp_path / "work" / "pages.json").unlink()
    site.forget()
    one = source(run="one")
    second = listed(one)
    assert (second.keys, second.problems, second.complete) == (whole.keys, whole.problems, whole.complete)
    assert set(site.paths) & set(first) == {"/robots.txt", "/docs/"}
    assert one.fetch(second[f"{site.url}/docs/b.html"]).data == site.pages["/docs/b.html"].encode()
    site.forget()
    assert listed(source(run="one")).keys == whole.keys  # once more, behind the cut line
    assert site.paths == ["/robots.txt", "/docs/"]
    site.forget()
    listed(source(run="two"))
    assert set(first) < set(site.paths)


def test_other_settings_make_a_stopped_run_begin_anew(site: Site, source: Any, listed: Any) -> None:
    stopped(source(run="one"), 3)
    site.forget()
    assert len(listed(source(run="one", depth=1)).keys) == 4
    assert {"/docs/a", "/docs/b.html"} <= set(site.paths)


# --- pages that are none any more


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=302, headers={"Location": "http://localhost:{port}/sign-in"}), "leads to another site"),
        (Answer(status=302, headers={"Location": "/other"}), "does not read"),
        (Answer(b"x", headers={"Content-Type": "image/png"}), "no longer a page"),
    ],
)
@pytest.mark.parametrize("noted", [True, False])
def test_a_page_that_turns_into_something_else_is_not_withdrawn(
    site: Site, make_source: Any, listed: Any, tmp_path: Path, answer: Answer, says: str, noted: bool
) -> None:
    def source() -> Any:
        options = {"url": f"{site.url}/docs/", "pause": 0}
        return make_source("website", options, allow=("127.0.0.1", "localhost"))

    site.pages["/sign-in"] = page(title="Sign in")
    first = listed(source())
    if not noted:
        (tmp_path / "work" / "pages.json").unlink()
    headers = {name: value.replace("{port}", str(site.port)) for name, value in answer.headers.items()}
    site.pages["/docs/a"] = Answer(answer.body, answer.status, headers)
    for _ in range(2):
        listing = listed(source(), first.known)
        (problem,) = [problem for problem in listing.problems if problem.key]
        assert problem.key == f"{site.url}/docs/a"
        assert says in problem.message
        if noted:
            assert "/docs/deep" in paths(site, listing)  # what it linked to


def test_a_link_that_always_led_elsewhere_is_no_problem(site: Site, source: Any, listed: Any) -> None:
    site.pages["/docs/b.html"] = Answer(status=302, headers={"Location": "/other"})
    listing = listed(source(), {f"{site.url}/docs/": "x"})
    assert (listing.problems, listing.complete) == ([], True)


def test_a_failing_page_whose_note_was_lost_withdraws_nothing(
    site: Site, mapped: Any, listed: Any, tmp_path: Path
) -> None:
    site.pages["/docs/a"] = page(title="A", head='<link rel="canonical" href="/docs/real-a">')
    site.pages["/sitemap.xml"] = urlset(*((f"{site.url}/docs/{name}", "") for name in ("a", "b.html")))
    first = listed(mapped())
    assert f"{site.url}/docs/real-a" in first.keys
    (tmp_path / "work" / "pages.json").unlink()
    kept = site.pages["/docs/a"]
    site.pages["/docs/a"] = Answer(status=500)
    assert [listed(mapped(), first.known).complete for _ in range(2)] == [False, False]
    site.pages["/docs/a"] = kept
    assert listed(mapped(), first.known).complete
    site.pages["/docs/new"] = Answer(status=500)
    urls = [(f"{site.url}/docs/{name}", "") for name in ("a", "b.html", "new")]
    site.pages["/sitemap.xml"] = urlset(*urls)
    assert listed(mapped(), first.known).complete  # nothing of what is known can be behind it
