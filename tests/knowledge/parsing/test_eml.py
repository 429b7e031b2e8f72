from __future__ import annotations

import base64
import zipfile
from email.message import EmailMessage
from io import BytesIO
from typing import Any

import office
import pytest

from knowledge.errors import DocumentTooLarge, DocumentWithoutText
from knowledge.types import ParsedDocument


def mail(body: str | bytes, *, kind: str = "text/plain; charset=utf-8", head: str = "") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return f"Subject: Hello\r\nFrom: Ann <ann@x.test>\r\n{head}Content-Type: {kind}\r\n\r\n".encode() + raw


def parts(*inside: bytes, kind: str = "mixed") -> bytes:
    return mail(
        b"".join(b"--b\r\n" + one + b"\r\n" for one in inside) + b"--b--\r\n", kind=f'multipart/{kind}; boundary="b"'
    )


def part(body: str | bytes, kind: str = "text/plain; charset=utf-8", head: str = "") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return f"Content-Type: {kind}\r\n{head}\r\n".encode() + raw


def attached(name: str, data: bytes, kind: str = "application/octet-stream") -> bytes:
    head = f'Content-Disposition: attachment; filename="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
    return part(base64.encodebytes(data), kind, head)


def words(document: ParsedDocument) -> list[str]:
    """The blocks below the subject and the header."""
    return [document.text[block.start : block.end] for block in document.blocks[2:]]


@pytest.mark.parametrize("expected", office.of_format("eml"))
def test_real_mails(parse, expected: Any) -> None:
    if expected.row["expect"] == "empty":
        with pytest.raises(DocumentWithoutText):
            parse(expected.data, expected.file.name)
        return
    assert office.unmet(parse(expected.data, expected.file.name), expected.row) == []


def test_header_body_and_attachment_stand_in_order(parse, shown) -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Grüße aus 北京", "Jörg <j@x.test>", "b@x.test, c@x.test"
    message["Cc"], message["Date"] = "d@x.test", "Mon, 1 Jan 2024 10:00:00 +0000"
    message.set_content("First line.\n\nSecond paragraph.\n\n-- \nJörg\n")
    message.add_attachment(b"City,Price\nRome,10\n", maintype="text", subtype="csv", filename="prices.csv")
    document = parse(message.as_bytes(), "a.eml")
    assert document.title == "Grüße aus 北京"
    assert shown(document) == [
        ("heading", "Grüße aus 北京"),
        (
            "paragraph",
            "From: Jörg <j@x.test>\nTo: b@x.test, c@x.test\nCc: d@x.test\nDate: Mon, 01 Jan 2024 10:00:00 +0000",
        ),
        ("paragraph", "First line."),
        ("paragraph", "Second paragraph."),
        ("paragraph", "--\nJörg"),
        ("heading", "prices.csv"),
        ("table_row", "City: Rome; Price: 10"),
    ]
    assert document.blocks[-1].heading_path == ("prices.csv",)
    assert document.blocks[-1].attrs["attachment"] == "prices.csv"


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("=?utf-8?b?R3LDvMOf?= =?utf-8?b?ZQ==?=", "Grüße"),
        ("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "Grüße"),  # a character cut in two
        ("=?iso-8859-1?Q?Gr=FC=DFe_dir?=", "Grüße dir"),
        ("=?utf-8?b?R3LDvMOfZQ?=", "Grüße"),  # without its padding
        ("=?nonsense-9?q?caf=C3=A9?=", "café"),
        ("=?utf-8?q?broken=ZZ?= rest", "broken=ZZ rest"),
        ("plain =?utf-8?x?what?= here", "plain =?utf-8?x?what?= here"),
        ("folded\r\n over\r\n\tlines", "folded over lines"),
    ],
)
def test_subjects_are_decoded_as_far_as_they_go(parse, stated: str, read: str) -> None:
    assert parse(f"Subject: {stated}\r\n\r\nx".encode(), "a.eml").title == read


def test_bytes_in_a_header_are_decoded_as_a_file_would_be(parse) -> None:
    assert parse("Subject: Grüße\n\nx".encode(), "a.eml").title == "Grüße"
    assert parse("Subject: Grüße\n\nx".encode("cp1252"), "a.eml").title == "Grüße"


@pytest.mark.parametrize(
    ("body", "kind", "head", "read"),
    [
        (b"Gr=C3=BC=C3=9Fe=\r\n dir", "text/plain; charset=utf-8", "quoted-printable", "Grüße dir"),
        (b"R3LD\r\nvMOfZQ", "text/plain; charset=utf-8", "base64", "Grüße"),
        ("Grüße".encode("cp1252"), "text/plain; charset=windows-1252", "8bit", "Grüße"),
        ("Grüße".encode(), "text/plain; charset=us-ascii", "8bit", "Grüße"),
        ("Grüße".encode("cp1252") * 9, "text/plain; charset=nonsense", "8bit", "Grüße" * 9),
        ("漢字かな".encode("iso-2022-jp"), "text/plain; charset=iso-2022-jp", "7bit", "漢字かな"),
        (b"still words", "what is this", "never heard", "still words"),
    ],
)
def test_bodies_are_decoded(parse, body: bytes, kind: str, head: str, read: str) -> None:
    data = mail(body, kind=kind, head=f"Content-Transfer-Encoding: {head}\r\n")
    assert words(parse(data, "a.eml")) == [read]


def test_the_plain_alternative_is_read_when_it_says_the_same(parse) -> None:
    data = parts(part("Roses are red\n"), part("<p>Roses <b>are</b> red</p>", "text/html"), kind="alternative")
    assert words(parse(data, "a.eml")) == ["Roses are red"]


def test_the_html_alternative_is_read_when_it_says_more(parse, shown) -> None:
    page = "<h1>Prices</h1><table><tr><th>City<th>Price</tr><tr><td>Rome<td>10</tr></table>"
    data = parts(part("Your program shows no HTML."), part(page, "text/html"), kind="alternative")
    document = parse(data, "a.eml")
    assert shown(document)[2:] == [("heading", "Prices"), ("table_row", "City: Rome; Price: 10")]
    assert document.blocks[-1].heading_path == ("Hello", "Prices")


def test_attachments_inside_an_alternative_are_kept(parse) -> None:
    rich = part(
        b"--c\r\n" + part("<p>Hi</p>", "text/html") + b"\r\n--c\r\n" + attached("a.txt", b"inside") + b"\r\n--c--",
        'multipart/mixed; boundary="c"',
    )
    assert words(parse(parts(part("Hi"), rich, kind="alternative"), "a.eml")) == ["Hi", "a.txt", "inside"]


def test_invitations_do_not_repeat_the_words(parse) -> None:
    data = parts(part("Come!"), part("BEGIN:VCALENDAR", "text/calendar"), kind="alternative")
    assert words(parse(data, "a.eml")) == ["Come!"]
    alone = parts(part("BEGIN:VCALENDAR", "text/calendar"), kind="alternative")
    assert words(parse(alone, "a.eml")) == ["BEGIN:VCALENDAR"]


def test_flowed_lines_are_joined_and_quotes_told_apart(parse) -> None:
    body = "This goes \r\non here.\r\n  stuffed\r\n\r\n> quoted \r\n> words\r\n>> older\r\nmy reply\r\n-- \r\nAnn\r\n"
    document = parse(mail(body, kind="text/plain; format=flowed"), "a.eml")
    assert words(document) == ["This goes on here.\n stuffed", "quoted words", "older", "my reply\n--\nAnn"]
    assert [bool(block.attrs.get("quoted")) for block in document.blocks[2:]] == [False, True, True, False]
    spaced = parse(mail("漢 \r\n字\r\n", kind="text/plain; format=flowed; delsp=yes"), "a.eml")
    assert words(spaced) == ["漢字"]


@pytest.mark.parametrize(
    "earlier",
    [
        "From: Bo\nSent: Monday\nTo: Ann\nSubject: Re",
        "-----Ursprüngliche Nachricht-----\nVon: Bo\nGesendet: Montag",
        "________________________________\nDe : Bo\nEnvoyé : lundi",
    ],
)
def test_everything_below_the_header_of_an_earlier_mail_is_quoted(parse, earlier: str) -> None:
    document = parse(mail(f"New words\n\n{earlier}\n\nOld words"), "a.eml")
    assert [bool(block.attrs.get("quoted")) for block in document.blocks[2:]] == [False, True, True]
    html = f"<p>New words</p><p>{earlier.replace(chr(10), '<br>')}</p><p>Old words</p>"
    document = parse(mail(html, kind="text/html"), "a.eml")
    assert [bool(block.attrs.get("quoted")) for block in document.blocks[2:]] == [False, True, True]


def test_quotes_in_html_are_told_apart(parse) -> None:
    html = '<p>New</p><div class="gmail_quote">On Monday Bo wrote:<blockquote type="cite"><p>Old</p></blockquote></div><p>End'
    document = parse(mail(html, kind="text/html"), "a.eml")
    assert words(document) == ["New", "On Monday Bo wrote:", "Old", "End"]
    assert [bool(block.attrs.get("quoted")) for block in document.blocks[2:]] == [False, True, True, False]


def test_layout_tables_of_html_mails_are_paragraphs(parse) -> None:
    html = "<table><tr><td><div>One</div><div>Two</div></td></tr></table>"
    assert words(parse(mail(html, kind="text/html"), "a.eml")) == ["One", "Two"]


def test_a_mail_without_a_header_is_read_and_a_blank_one_is_not(parse) -> None:
    assert parse(b"Just words.\n\nMore words.", "a.eml").text == "Just words.\n\nMore words."
    assert parse(b"From ann@x.test Mon Jan 1\nSubject: mbox\n\nwords", "a.eml").title == "mbox"
    assert parse(b"Subject: only this\n\n", "a.eml").text == "only this"
    for blank in (b" ", b"\n\n", b"      \n\n    \n"):
        with pytest.raises(DocumentWithoutText):
            parse(blank, "a.eml")


def test_an_attached_message_is_read_below_its_name(parse, shown) -> None:
    inner = (
        parts(part("Inner words"), attached("deep.txt", b"deep words")).replace(b"--b", b"--c").replace(b'"b"', b'"c"')
    )
    document = parse(parts(part("Outer words"), part(inner, "message/rfc822")), "a.eml")
    assert words(document) == [
        "Outer words",
        "Hello",
        "Hello",
        "From: Ann <ann@x.test>",
        "Inner words",
        "deep.txt",
        "deep words",
    ]
    assert [block.level for block in document.blocks if block.level] == [1, 1, 2, 2]
    assert document.blocks[-1].heading_path == ("Hello", "deep.txt")
    assert document.blocks[-1].attrs["attachment"] == "deep.txt"


def test_a_name_is_a_label_only(parse, tmp_path) -> None:
    slip = parts(part("x"), attached("../../../tmp/pwn", b"words"), attached("a\u202etxt.exe.txt", b"more"))
    document = parse(slip, "slip.eml")
    assert "../../../tmp/pwn\n\nwords" in document.text
    assert "\u202e" not in document.text


def test_what_is_not_read_is_named_with_the_reason(parse, make_docx) -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"A" * (64 << 20))
    data = parts(
        part("words"),
        attached("a.zip", b"PK\x03\x04" + bytes(60)),
        attached("bomb.docx", out.getvalue()),
        attached("empty.txt", b""),
        attached("winmail.dat", b"x\x9f\x3e\x22", "application/ms-tnef"),
        attached("fake.pdf", b"no pdf"),
        attached("good.docx", make_docx(lambda document: document.add_heading("Kept", 1))),
    )
    document = parse(data, "a.eml")
    assert words(document) == ["words", "good.docx", "Kept"]
    assert [block.level for block in document.blocks[-2:]] == [1, 2]
    assert [warning.split(" was not read: ")[0] for warning in document.warnings] == [
        f"The attachment {name}" for name in ("a.zip", "bomb.docx", "empty.txt", "winmail.dat", "fake.pdf")
    ]
    assert "expands more than 100-fold" in document.warnings[1]
    assert all(warning.endswith(".") and "Supported are" not in warning for warning in document.warnings)


def test_all_attachments_share_one_limit(parse, make_docx) -> None:
    word = make_docx(lambda document: document.add_paragraph("text"))
    data = parts(*[attached(f"{n}.docx", word) for n in range(20)])
    warnings = parse(data, "a.eml", inflated_bytes=600_000).warnings
    assert "together expand beyond the limit" in warnings[-1]
    many = parts(*[attached(f"{n}.txt", b"word") for n in range(150)])
    document = parse(many, "a.eml")
    assert document.warnings == ("50 more attachments were not read: at most 100 are read per file.",)
    assert sum(block.level == 1 for block in document.blocks) == 101


def test_a_defect_in_one_reader_costs_one_attachment(parse, monkeypatch) -> None:
    monkeypatch.setattr("knowledge.parsing.csv.CsvParser.parse", lambda *_: 1 // 0)
    document = parse(parts(part("words"), attached("a.csv", b"a,b"), attached("b.txt", b"kept")), "a.eml")
    assert words(document) == ["words", "b.txt", "kept"]
    assert document.warnings == ("The attachment a.csv was not read: its reader stopped at a defect.",)


def test_signatures_and_inline_pictures_are_left_out_silently(parse) -> None:
    picture = part(b"iVBORw0KGgo=", "image/png", "Content-ID: <a@b>\r\nContent-Transfer-Encoding: base64\r\n")
    data = parts(
        part("<p>Hi<img src='cid:a@b'>", "text/html"), picture, part("x", "application/pgp-signature; name=s.asc")
    )
    document = parse(data, "a.eml")
    assert words(document) == ["Hi"]
    assert document.warnings == ()


def test_an_encrypted_message_says_so(parse) -> None:
    data = parts(
        part("Version: 1", "application/pgp-encrypted"),
        part("-----BEGIN PGP MESSAGE-----", "application/octet-stream"),
        kind="encrypted",
    )
    document = parse(data, "a.eml")
    assert document.warnings == ("The message is encrypted; only its header was read.",)
    assert "PGP" not in document.text


def test_the_charset_of_an_attached_text_counts(parse) -> None:
    head = "Content-Disposition: attachment; filename*=utf-8''%E6%BC%A2.txt\r\n"
    data = parts(part("Привет".encode("koi8-r"), "text/plain; charset=koi8-r", head))
    assert words(parse(data, "a.eml")) == ["漢.txt", "Привет"]


def nested(levels: int) -> bytes:
    inside = b"deep words"
    for level in range(levels):
        inside = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n%b\n--b%d--\n" % (level, level, inside, level)
    return b"Subject: x\n" + inside


def test_nested_parts_are_read_to_a_depth(parse) -> None:
    inner = nested(30).replace(b"--b0\ndeep words", b"--b0\n\ndeep words")
    assert parse(inner, "a.eml").text == "x\n\ndeep words"
    with pytest.raises(DocumentTooLarge, match="50 deep"):
        parse(nested(1000), "a.eml")


def test_parts_without_end_are_counted(parse) -> None:
    assert words(parse(parts(*[part(f"part {n}") for n in range(9_000)]), "a.eml"))[-1] == "part 8999"
    with pytest.raises(DocumentTooLarge, match="10,000 parts"):
        parse(parts(*[part("x") for _ in range(10_000)]), "a.eml")


def test_a_thousand_messages_inside_each_other(parse) -> None:
    data = b"Subject: last\n\ndeep"
    for level in range(1000):
        data = b"Subject: level %d\nContent-Type: message/rfc822\n\n" % level + data
    document = parse(data, "a.eml")
    assert "level 997" in document.text
    assert "level 995" not in document.text.replace("level 9950", "")
    assert "more than 3 files deep" in document.warnings[0]


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: x\n" + b"a:\n" * 400_000 + b"\nwords",
        b"Subject: " + b"a" * 2_000_000 + b"\n\nwords",
    ],
)
def test_header_bombs_are_refused(parse, data: bytes) -> None:
    with pytest.raises(DocumentTooLarge, match="header"):
        parse(data, "a.eml")


@pytest.mark.parametrize(
    "data",
    [
        parts(*[b'Content-Type: text/plain; name="' + b";" * 4000 + b"\r\n\r\nwords" for _ in range(300)]),
        mail(b"a" * (20 << 20)),
        mail(b"> " * (5 << 20) + b"words"),
        mail(b"\n" * (5 << 20) + b"words"),
        b"Subject: " + b"=?utf-8?q?a?= " * 60_000 + b"\n\nwords",
        parts(part("words", "multipart/mixed; boundary=b")),  # the border of the parts around it
        mail("words", kind='multipart/mixed; boundary="never"'),
        parts(part("words"), b"", b"\r\n", b"no header"),
    ],
    ids=["parameters", "one line", "marks", "blank lines", "encoded words", "own border", "no border", "empty parts"],
)
def test_hostile_mails_take_linear_time(child, data: bytes) -> None:
    text = child.parse(data, filename="a.eml").text
    assert len(text) > 10
    assert text.startswith(("Hello", "aaa"))
