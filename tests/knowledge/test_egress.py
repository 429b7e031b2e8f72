"""Nothing that may not be reached is reached: by its spelling, by a redirect, by a name server that changes its mind."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from local_site import Answer, Site, local_site

from knowledge.egress import BadAllowEntry, FetchLimits, Rules, fetch, parse_address, resolve_target
from knowledge.egress.resolving import system_resolver
from knowledge.egress.rules import is_public
from knowledge.errors import AddressRefused, AddressUnreachable, ReplyTooLarge

NOTHING = Rules()
QUICK = FetchLimits(seconds=5, size=1_000_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with local_site() as one:
        yield one


@pytest.fixture
def sink() -> Iterator[Site]:
    """An internal service that must never be asked anything."""
    with local_site() as one:
        yield one
        assert one.asked == []


def only(site: Site) -> Rules:
    return Rules.of([f"127.0.0.1:{site.port}"])


# --- spelling (rows 66 and 67)


@pytest.mark.parametrize(
    "url",
    [
        "http://a@127.0.0.1/", "http://example.org@127.0.0.1/", "http://user:pass@example.org/",
        "http://example.org\\@127.0.0.1/", "http:\\\\127.0.0.1/", "http://127.0.0.1\\.example.org/",
        "http://127.0.0.1%00.example.org/", "http://127.0.0.1\x00.example.org/", "http://%31%32%37.0.0.1/",
        "http://127.0.0.1\t/", "http://\t127.0.0.1/", "http://127.0\n.0.1/", " http://127.0.0.1/", "http://exam ple.org/",
        "http://0x7f.1/", "http://0x7f000001/", "http://2130706433/", "http://127.1/", "http://0177.0.0.1/",
        "http://127.0.0.1./", "http://127.0.0/", "http://0x7f.0.0.0x1/", "http://127.0.0.0x/", "http://00/",
        "http://127。0。0。1/", "http://127．0．0．1/", "http://127｡0｡0｡1/", "http://①②⑦.⓪.⓪.①/",
        "http://[::]/", "http://[::1]/", "http://0/", "http://0.0.0.0/", "http://127.0.0.1/", "http://127.255.255.254/",
        "http://[::ffff:127.0.0.1]/", "http://[::ffff:a9fe:a9fe]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/",
        "http://[0:0:0:0:0:ffff:169.254.169.254]/", "http://[2002:7f00:1::]/", "http://[2002:a9fe:a9fe::1]/",
        "http://[64:ff9b::127.0.0.1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::a9fe:a9fe]/",
        "http://[2001:0:53aa:64c:0:0:80ff:fffe]/", "http://[2606:4700::5efe:7f00:1]/", "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%25lo]/", "http://[fc00::1]/", "http://[fd00::1]/",
        "http://[ff02::1]/", "http://[2001:db8::1]/", "http://[100::1]/", "http://[::ffff:0:127.0.0.1]/",
        "http://[::1]x/", "http://[::1/", "http://::1/", "http://[]/", "http://[v1.a]/", "http://1.2.3.4.5/",
        "http://169.254.169.254/latest/meta-data/", "http://168.63.129.16/", "http://100.100.100.200/",
        "http://10.0.0.1/", "http://172.31.255.255/", "http://192.168.1.1/", "http://100.64.0.1/", "http://192.0.0.192/",
        "http://198.18.0.1/", "http://224.0.0.1/", "http://240.0.0.1/", "http://255.255.255.255/", "http://192.88.99.1/",
        "http://8.8.8.8:22/", "http://8.8.8.8:6379/", "http://8.8.8.8:0/", "http://8.8.8.8:65536/", "http://8.8.8.8:80:80/",
        "http://8.8.8.8:８０/", "http://8.8.8.8:+80/", "http://8.8.8.8:-1/", "http://8.8.8.8: 80/",
        "file:///etc/passwd", "ftp://8.8.8.8/", "gopher://8.8.8.8/", "data:text/plain,x", "//8.8.8.8/", "8.8.8.8",
        "javascript:alert(1)", "http:8.8.8.8", "http:///8.8.8.8", "https:/8.8.8.8/", "jar:http://8.8.8.8/", "http://",
        "http:// /", "http://.example.org/", "http://exam..ple/", "http://example..", "http://faß.example/", "http://" + "a" * 64 + ".org/",
        "http://8.8.8.8/" + "a" * 9000, "http://8.8.8.8/\ud800", "unix:///run/docker.sock", "http+unix://%2Frun%2Fx/",
    ],
)  # fmt: skip
def test_address_is_refused_before_anything_is_sent(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    def no_lookup(host: str, seconds: float) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    monkeypatch.setattr(socket, "socket", no_socket)
    with pytest.raises(AddressRefused) as caught:
        fetch(url, rules=NOTHING, resolve=no_lookup)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "url", ["http://a@example.org/", "http://a:b@example.org/", "http://example.org%40@127.0.0.1/"]
)
def test_name_and_password_in_an_address_are_named_as_what_is_wrong(url: str) -> None:
    with pytest.raises(AddressRefused, match="user name or password"):
        parse_address(url)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "localhost.", "ip6-localhost", "intranet", "0.example"])
def test_name_that_leads_inside_is_refused(name: str) -> None:
    with pytest.raises(AddressRefused):
        fetch(f"http://{name}/", rules=NOTHING, resolve=lambda host, seconds: ["127.0.0.1"])


def test_the_real_name_of_this_machine_is_refused() -> None:
    assert system_resolver("localhost", 5)
    with pytest.raises(AddressRefused):
        fetch("http://localhost/", rules=NOTHING)


@pytest.mark.parametrize("inside", ["10.0.0.7", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:10.0.0.1"])
def test_one_inner_address_among_public_ones_refuses_the_name(inside: str) -> None:
    with pytest.raises(AddressRefused):
        resolve_target(
            parse_address("http://example.org/"), rules=NOTHING, seconds=1, resolve=lambda *_: ["93.184.216.34", inside]
        )


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700:4700::1111",
        "64:ff9b::808:808",
        "2a00::5efe:808:808",
    ],
)
def test_public_addresses_are_open(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "netloc", "path"),
    [
        ("HTTP://Example.ORG", "example.org", "/"),
        ("https://example.org.:443/a?b=c#d", "example.org", "/a?b=c"),
        ("http://bücher.example:8080/ä ", None, ""),
        ("http://bücher.example:8080/ä", "xn--bcher-kva.example:8080", "/%C3%A4"),
        ("http://example.org?x=%20&y=/../", "example.org", "/?x=%20&y=/../"),
        ("https://[2606:4700::0]:8443/", "[2606:4700::]:8443", "/"),
        ("http://example.org/a\"b<c>{d}|^`", "example.org", "/a%22b%3Cc%3E%7Bd%7D%7C%5E%60"),
    ],
)  # fmt: skip
def test_what_is_sent_is_what_was_checked(url: str, netloc: str | None, path: str) -> None:
    if netloc is None:
        with pytest.raises(AddressRefused):
            parse_address(url)
        return
    target = parse_address(url)
    assert (target.netloc, target.path) == (netloc, path)
    assert parse_address(target.url) == target


# --- what the operator opens


@pytest.mark.parametrize(
    ("entry", "url", "address", "opened"),
    [
        ("wiki.internal", "http://wiki.internal/", "10.0.0.5", True),
        ("wiki.internal", "http://wiki.internal:9000/", "10.0.0.5", True),
        ("WIKI.internal:8090", "http://wiki.internal:8090/", "10.0.0.5", True),
        ("wiki.internal:8090", "http://wiki.internal/", "10.0.0.5", False),
        ("wiki.internal", "http://wiki.internal.evil.example/", "10.0.0.5", False),
        ("wiki.internal", "http://xwiki.internal/", "10.0.0.5", False),
        ("*.corp.example", "http://a.b.corp.example/", "10.0.0.5", True),
        ("*.corp.example", "http://corp.example/", "10.0.0.5", False),
        ("*.corp.example", "http://evilcorp.example/", "10.0.0.5", False),
        ("wiki.internal", "http://wiki.internal/", "169.254.169.254", False),
        ("wiki.internal", "http://wiki.internal/", "::ffff:169.254.169.254", False),
        ("wiki.internal", "http://wiki.internal/", "0.0.0.0", False),
        ("169.254.0.0/16", "http://meta.example/", "169.254.169.254", True),
        ("10.0.0.0/8", "http://any.example:9000/", "10.1.2.3", True),
        ("10.0.0.0/8:9000", "http://any.example:9000/", "10.1.2.3", True),
        ("10.0.0.0/8:9000", "http://any.example/", "10.1.2.3", False),
        ("10.0.0.0/8", "http://any.example/", "11.1.2.3", True),  # public, on a usual port
        ("10.0.0.0/8", "http://any.example:9000/", "11.1.2.3", False),
        ("10.0.0.0/8", "http://any.example/", "::ffff:10.1.2.3", False),
        ("fd00::/8", "http://any.example/", "fd00::7", True),
        ("[fd00::7]:81", "http://[fd00::7]:81/", "fd00::7", True),
        ("[fd00::7]:81", "http://[fd00::7]:82/", "fd00::7", False),
        ("files.example:9000", "http://files.example:9000/", "93.184.216.34", True),
    ],
)
def test_entries_open_what_they_name(entry: str, url: str, address: str, opened: bool) -> None:
    assert Rules.of([entry]).let_through(parse_address(url), ip_address(address)) is opened


@pytest.mark.parametrize(
    "entry", ["", "http://wiki/", "a b", "10.0.0.0/33", "wiki:0", "wiki:70000", "*", "*.", "127.1", "a:b", "[::1"]
)
def test_entry_that_means_nothing_is_refused(entry: str) -> None:
    with pytest.raises(BadAllowEntry):
        Rules.of([entry])


# --- redirects (row 65)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("shape", ["http://127.0.0.1:{port}/", "//127.0.0.1:{port}/", "http://localhost:{port}/"])
def test_redirect_inside_is_refused_at_its_hop(site: Site, sink: Site, status: int, hops: int, shape: str) -> None:
    for hop in range(hops):
        last = hop == hops - 1
        target = shape.format(port=sink.port) if last else f"/{hop + 1}"
        site.pages[f"/{hop}"] = Answer(status=status, headers={"Location": target})
    with pytest.raises(AddressRefused):
        fetch(f"{site.url}/0", rules=only(site), limits=QUICK)
    assert len(site.asked) == hops


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://x/", "http://a@b/", "http://[::1", "\\\\evil\\x", "javascript:x"])  # fmt: skip
def test_redirect_to_another_kind_of_address_is_refused(site: Site, location: str) -> None:
    site.pages["/"] = Answer(status=302, headers={"Location": location})
    with pytest.raises(AddressRefused):
        fetch(site.url, rules=only(site), limits=QUICK)


def test_refresh_is_never_followed(site: Site, sink: Site) -> None:
    page = f'<meta http-equiv="refresh" content="0;url={sink.url}/">'
    site.pages["/"] = Answer(page, headers={"Refresh": f"0; url={sink.url}/"})
    assert fetch(site.url, rules=only(site), limits=QUICK).status == 200


def test_good_redirects_are_followed(site: Site) -> None:
    site.pages["/a"] = Answer(status=301, headers={"Location": "b/ü ü?x=1#y".encode().decode("latin-1")})
    site.pages["/b/%C3%BC%20%C3%BC?x=1"] = Answer(status=307, headers={"Location": "../c"})
    site.pages["/c"] = "there"
    reply = fetch(f"{site.url}/a", rules=only(site), limits=QUICK)
    assert (reply.status, reply.body, reply.url) == (200, b"there", f"{site.url}/c")


def test_redirects_without_end_are_given_up(site: Site) -> None:
    site.pages["/"] = Answer(status=302, headers={"Location": "/"})
    with pytest.raises(AddressUnreachable, match="more than 5 times"):
        fetch(site.url, rules=only(site), limits=QUICK)
    assert len(site.asked) == 6


def test_redirect_is_a_reply_where_none_is_followed(site: Site) -> None:
    site.pages["/"] = Answer("moved", status=302, headers={"Location": "/x"})
    reply = fetch(site.url, rules=only(site), limits=FetchLimits(redirects=0))
    assert (reply.status, reply.body) == (302, b"moved")


def test_credentials_stay_with_their_origin(site: Site) -> None:
    with local_site() as other:
        site.pages["/a"] = Answer(status=302, headers={"Location": "/b"})
        site.pages["/b"] = Answer(status=302, headers={"Location": f"{other.url}/c"})
        other.pages["/c"] = Answer(status=302, headers={"Location": f"{site.url}/d"})
        site.pages["/d"] = "done"
        rules = Rules.of(["127.0.0.1"])
        fetch(f"{site.url}/a", rules=rules, credentials={"Authorization": "Bearer x"}, headers={"X-Plain": "1"})
        assert ["authorization" in one.headers for one in site.asked] == [True, True, True]
        assert ["authorization" in one.headers for one in other.asked] == [False]
        assert other.asked[0].headers["x-plain"] == "1"


# --- rebinding (row 68)


def test_name_is_looked_up_once_and_the_socket_goes_to_that_address(site: Site, sink: Site) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.3"]])
    asked: list[str] = []

    def rebinding(host: str, seconds: float) -> list[str]:
        asked.append(host)
        return next(answers)

    site.pages["/"] = "here"
    reply = fetch(f"http://rebind.example:{site.port}/", rules=only(site), limits=QUICK, resolve=rebinding)
    assert reply.body == b"here"
    assert asked == ["rebind.example"]
    assert site.asked[0].headers["host"] == f"rebind.example:{site.port}"


def test_name_that_leads_inside_at_its_second_hop_is_refused(site: Site, sink: Site) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    site.pages["/"] = Answer(status=302, headers={"Location": f"http://rebind.example:{sink.port}/again"})
    with pytest.raises(AddressRefused):
        fetch(
            f"http://rebind.example:{site.port}/",
            rules=only(site),
            limits=QUICK,
            resolve=lambda host, seconds: next(answers),
        )


def test_socket_that_reached_another_address_is_closed_unused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("10.0.0.1", 80))
    with pytest.raises(AddressRefused, match="another address"):
        fetch(site.url, rules=only(site), limits=QUICK)
    assert site.asked == []


def test_environment_sends_nothing_elsewhere(site: Site, sink: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, sink.url)
    site.pages["/"] = "direct"
    assert fetch(site.url, rules=only(site), limits=QUICK).body == b"direct"


def test_request_says_who_asks_and_nothing_more(site: Site) -> None:
    site.pages["/"] = Answer("x", headers={"Set-Cookie": "a=b"})
    for _ in range(2):
        fetch(site.url, rules=only(site), limits=QUICK)
    assert set(site.asked[1].headers) == {"host", "user-agent", "accept-encoding", "connection"}
    assert site.asked[1].headers["user-agent"].startswith("Footnote/")


# --- sizes and time


def test_body_beyond_the_limit_is_not_read(site: Site) -> None:
    site.pages["/"] = b"x" * 2_000_000
    with pytest.raises(ReplyTooLarge, match="1 MB"):
        fetch(site.url, rules=only(site), limits=QUICK)


def endless(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        handler.wfile.write(b"x" * 65536)


def endless_chunks(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")


@pytest.mark.parametrize("writer", [endless, endless_chunks])
def test_body_without_a_stated_length_is_cut_off_at_the_limit(site: Site, writer: Any) -> None:
    site.raw["/"] = writer
    with pytest.raises(ReplyTooLarge):
        fetch(f"{site.url}/", rules=only(site), limits=QUICK)


@pytest.mark.parametrize("layers", [1, 2])
def test_compression_bomb_stops_at_the_limit(site: Site, layers: int) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    site.pages["/"] = Answer(bomb * layers, headers={"Content-Encoding": "gzip"})
    assert len(bomb) < 100_000
    with pytest.raises(ReplyTooLarge):
        fetch(site.url, rules=only(site), limits=QUICK)


def test_compressed_reply_is_inflated(site: Site) -> None:
    site.pages["/"] = Answer(gzip.compress(b"one, ") + gzip.compress(b"two"), headers={"Content-Encoding": "gzip"})
    assert fetch(site.url, rules=only(site), limits=QUICK).body == b"one, two"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(gzip.compress(b"x" * 5000)[:-12], "gzip"), (b"plain", "gzip"), (b"x", "br"), (gzip.compress(b"x"), "gzip, gzip")],
    ids=["cut", "plain", "unknown", "twice"],
)
def test_broken_compression_is_a_sentence(site: Site, body: bytes, encoding: str) -> None:
    site.pages["/"] = Answer(body, headers={"Content-Encoding": encoding})
    with pytest.raises(AddressUnreachable):
        fetch(site.url, rules=only(site), limits=QUICK)


def drip_head(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        handler.wfile.write(b"X-%d: y\r\n" % number)
        time.sleep(0.1)


def drip_body(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        handler.wfile.write(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize("writer", [drip_head, drip_body, lambda handler: time.sleep(3)])
def test_slow_server_is_given_up_when_the_time_is_over(site: Site, writer: Any) -> None:
    site.raw["/"] = writer
    start = time.monotonic()
    with pytest.raises(AddressUnreachable, match="in time"):
        fetch(f"{site.url}/", rules=only(site), limits=FetchLimits(seconds=0.6))
    assert time.monotonic() - start < 2


def test_slow_name_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(5) and [])
    with pytest.raises(AddressUnreachable, match="Looking up"):
        fetch("http://slow.example/", rules=NOTHING, limits=FetchLimits(seconds=0.2))
    release.set()


@pytest.mark.parametrize(
    "written",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"",
    ],
)
def test_broken_reply_is_a_sentence(site: Site, written: bytes) -> None:
    site.raw["/"] = lambda handler: handler.wfile.write(written)
    with pytest.raises(AddressUnreachable) as caught:
        fetch(f"{site.url}/", rules=only(site), limits=QUICK)
    assert caught.value.message.endswith(".")


def test_closed_port_is_a_sentence(site: Site) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(AddressUnreachable, match="connection refused"):
        fetch(f"http://127.0.0.1:{port}/", rules=Rules.of(["127.0.0.1"]))


def test_second_address_is_tried(site: Site) -> None:
    site.pages["/"] = "x"
    rules = Rules.of([f"127.0.0.0/8:{site.port}"])
    url = f"http://two.example:{site.port}/"
    assert fetch(url, rules=rules, limits=QUICK, resolve=lambda *_: ["127.0.0.9", "127.0.0.1"]).status == 200


def test_ipv6_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with local_site(host="::1") as site:
        site.pages["/"] = "six"
        reply = fetch(f"http://[::1]:{site.port}/", rules=Rules.of([f"[::1]:{site.port}"]), limits=QUICK)
        assert (reply.body, site.asked[0].headers["host"]) == (b"six", f"[::1]:{site.port}")


def test_body_that_is_not_wanted_is_not_read(site: Site) -> None:
    site.raw["/"] = endless
    reply = fetch(f"{site.url}/", rules=only(site), limits=QUICK, wanted=lambda status, headers: False)
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "ünï", "a\nb"])
def test_header_cannot_be_smuggled(site: Site, value: str) -> None:
    site.pages["/"] = "x"
    try:
        fetch(site.url, rules=only(site), limits=QUICK, headers={"If-None-Match": value})
    except AddressUnreachable:
        assert site.asked == []
    else:
        assert "x-injected" not in site.asked[0].headers


# --- TLS


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ssl.SSLContext, list[str | None]]:
    """A server's context with a certificate for wiki.test that is trusted here, and the names it was asked for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "wiki.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("wiki.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    (tmp_path / "trusted.pem").write_bytes(certificate.public_bytes(pem))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    asked: list[str | None] = []
    context.sni_callback = lambda sock, server_name, ctx: asked.append(server_name)
    return context, asked


def test_certificate_is_checked_for_the_name_at_the_pinned_address(tls: Any) -> None:
    context, asked = tls
    with local_site(context=context) as site:
        site.pages["/"] = "secret"
        rules = only(site)
        reply = fetch(f"https://wiki.test:{site.port}/", rules=rules, limits=QUICK, resolve=lambda *_: ["127.0.0.1"])
        assert reply.body == b"secret"
        assert asked == ["wiki.test"]
        with pytest.raises(AddressUnreachable, match="certificate"):
            fetch(f"https://other.test:{site.port}/", rules=rules, limits=QUICK, resolve=lambda *_: ["127.0.0.1"])
        with pytest.raises(AddressUnreachable, match="certificate"):
            fetch(f"https://127.0.0.1:{site.port}/", rules=rules, limits=QUICK)
        assert len(site.asked) == 1


def test_redirect_from_https_to_http_is_refused(tls: Any, sink: Site) -> None:
    with local_site(context=tls[0]) as site:
        site.pages["/"] = Answer(status=302, headers={"Location": f"http://127.0.0.1:{sink.port}/"})
        with pytest.raises(AddressRefused, match="from https to http"):
            fetch(
                f"https://wiki.test:{site.port}/",
                rules=Rules.of(["127.0.0.1"]),
                limits=QUICK,
                resolve=lambda *_: ["127.0.0.1"],
            )


def test_no_encryption_where_it_is_expected_is_a_sentence(site: Site) -> None:
    with pytest.raises(AddressUnreachable, match="secure connection"):
        fetch(site.url.replace("http:", "https:"), rules=only(site), limits=QUICK)


def test_zlib_streams_count_as_gzip(site: Site) -> None:
    site.pages["/"] = Answer(zlib.compress(b"x"), headers={"Content-Encoding": "gzip"})
    assert fetch(site.url, rules=only(site), limits=QUICK).body == b"x"
