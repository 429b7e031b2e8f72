from __future__ import annotations

import struct

import office
import pytest
from made_msg import attachment, binary, compound, message, recipient, text

from knowledge.errors import DocumentDamaged, DocumentError, DocumentTooLarge
from knowledge.parsing import ParseLimits
from knowledge.parsing.ole import Compound
from knowledge.parsing.rtf_compressed import decompress_rtf

SENT = 133_000_000_000_000_000  # in units of 100 nanoseconds since 1601: 2022-06-18
PLAIN = text(
    0x1000,
    "Dear all,\r\n\r\nthe roof leaks.\r\n\r\n-----Original Message-----\r\nFrom: Bo\r\nSent: Monday\r\n\r\nAny news?",
)


def mail(*parts, **numbers) -> bytes:
    sender = {**text(0x0C1A, "Ann Smith"), **text(0x5D01, "ann@example.test")}
    people = {**recipient(0, "Bo", "bo@example.test"), **recipient(1, "Cy", "cy@example.test", 2)}
    return compound(message(text(0x0037, "The roof"), sender, people, *parts, **numbers))


def test_a_message_is_read_like_a_mail(parse, shown) -> None:
    document = parse(mail(PLAIN, p0039_0040=SENT), "a.msg")
    assert document.title == "The roof"
    assert shown(document) == [
        ("heading", "The roof"),
        (
            "paragraph",
            "From: Ann Smith <ann@example.test>\nTo: Bo <bo@example.test>\nCc: Cy <cy@example.test>\nDate: 2022-06-18 04:26 UTC",
        ),
        ("paragraph", "Dear all,"),
        ("paragraph", "the roof leaks."),
        ("paragraph", "-----Original Message-----\nFrom: Bo\nSent: Monday"),
        ("paragraph", "Any news?"),
    ]
    assert [bool(block.attrs.get("quoted")) for block in document.blocks] == [False, False, False, False, True, True]
    assert document.warnings == ()


def test_html_is_read_in_its_code_page_when_it_says_more(parse) -> None:
    html = binary(0x1013, "<p>Grüße</p><p>the roof leaks in the attic</p>".encode("cp1252"))
    assert parse(mail(html, p3FDE_0003=1252), "a.msg").text.endswith("Grüße\n\nthe roof leaks in the attic")
    assert parse(mail(PLAIN, binary(0x1013, b"<p>the roof leaks.")), "a.msg").text.count("the roof leaks") == 1


def test_texts_in_an_old_code_page(parse) -> None:
    data = compound(
        message(text(0x0037, "Крыша", charset="cp1251"), text(0x1000, "Течёт", charset="cp1251"), p3FFD_0003=1251)
    )
    assert parse(data, "a.msg").text == "Крыша\n\nТечёт"


def test_attachments_follow_below_their_names(parse, shown) -> None:
    long = "A long attachment. " * 400  # lies in whole sectors, not in the mini stream
    files = {**attachment(0, "a.csv", b"City,Price\nRome,10\n"), **attachment(1, "b.txt", long.encode())}
    document = parse(mail(PLAIN, files, attachment(2, "c.zip", b"PK\x03\x04" + bytes(60))), "a.msg")
    assert ("heading", "a.csv") in shown(document)
    assert ("table_row", "City: Rome; Price: 10") in shown(document)
    assert document.blocks[-1].heading_path == ("b.txt",)
    assert document.blocks[-1].attrs == {"attachment": "b.txt"}
    assert document.text.endswith(long.strip())
    assert len(document.warnings) == 1
    assert document.warnings[0].startswith("The attachment c.zip was not read: this is a ZIP archive.")


def test_a_message_with_a_word_attachment_is_still_a_message(parse) -> None:
    word = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "WordDocument".encode("utf-16-le")
    assert (
        "The attachment old.doc was not read" in parse(mail(PLAIN, attachment(0, "old.doc", word)), "a.msg").warnings[0]
    )


def test_messages_inside_messages_end_at_a_depth(parse) -> None:
    inner = message(text(0x0037, "level 9"), header=24)
    for level in range(8, 0, -1):
        inner = message(text(0x0037, f"level {level}"), attachment(0, f"to {level + 1}", inner), header=24)
    document = parse(mail(attachment(0, "to 1", inner)), "a.msg")
    assert "level 3" in document.text
    assert "level 4" not in document.text
    assert document.warnings[0].endswith("The attachment to 4 was not read: it lies more than 3 files deep.")


def test_pictures_shown_in_the_body_are_left_out_silently(parse) -> None:
    picture = attachment(0, "image001.png", b"\x89PNG\r\n\x1a\n" + bytes(40), p3712="logo@x")
    assert parse(mail(binary(0x1013, b"<p>Hi <img src='cid:logo@x'>"), picture), "a.msg").warnings == ()


def compressed(data: bytes, *, size: int | None = None, kind: bytes = b"LZFu") -> bytes:
    return struct.pack("<II4sI", len(data) + 12, len(data) if size is None else size, kind, 0) + data


def test_compressed_text_from_the_specification() -> None:
    data = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert decompress_rtf(data, limit=1000) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert decompress_rtf(compressed(b"{\\rtf1 x}", kind=b"MELA"), limit=1000) == b"{\\rtf1 x}"


def test_compressed_text_that_lies_is_refused() -> None:
    with pytest.raises(DocumentTooLarge):
        decompress_rtf(compressed(b"x", size=2**31), limit=1000)
    with pytest.raises(DocumentDamaged):
        decompress_rtf(compressed(b"x", kind=b"what"), limit=1000)
    assert len(decompress_rtf(compressed(b"\xff" * 900, size=100), limit=1000)) <= 100


def test_a_body_in_rich_text_is_read_or_named(parse) -> None:
    document = parse(mail(binary(0x1009, compressed(b"{\\rtf1 the roof leaks}", kind=b"MELA"))), "a.msg")
    assert "the roof leaks" in document.text or "Rich Text" in document.warnings[0]


@pytest.mark.parametrize("position", range(0, 4096, 61))
def test_broken_files_end_in_words(parse, position: int) -> None:
    data = bytearray(mail(PLAIN, attachment(0, "a.txt", b"words"), p0039_0040=SENT))
    data[position : position + 4] = b"\x03\x00\x00\x00"
    for broken in (bytes(data), bytes(data[: 600 + position])):
        outcome = read_or_refused(parse, broken)
        assert outcome
        assert "\0" not in outcome


def read_or_refused(parse, data: bytes) -> str:
    try:
        return parse(data, "a.msg").text
    except DocumentError as err:
        return err.message


def test_streams_that_share_their_bytes_do_not_multiply(parse) -> None:
    same = b"words " * 200_000
    files = {}
    for number in range(60):
        files.update(attachment(number, f"{number}.txt", same))
    data = mail(files)
    assert len(data) < 2_000_000
    with pytest.raises(DocumentTooLarge, match="streams overlap"):
        parse(data, "a.msg", inflated_bytes=20_000_000)


@pytest.mark.parametrize(
    ("expected", "stream"),
    [("old-word.doc", "WordDocument"), ("old-excel.xls", "Workbook"), ("locked.xlsx", "EncryptedPackage")],
)
def test_streams_of_files_that_other_programs_wrote(expected: str, stream: str) -> None:
    if not (office.FOLDER / "files" / expected).is_file():
        pytest.skip(f"no office files at {office.FOLDER}")
    data = (office.FOLDER / "files" / expected).read_bytes()
    found = Compound(data, ParseLimits())
    entry = found.root.children[stream]
    assert len(found.read(entry)) == entry.size > 0
    small = [one for one in found.root.children.values() if not one.is_storage and 0 < one.size < 4096]
    assert all(len(found.read(one)) == one.size for one in small)


def test_a_file_cut_before_its_tables_is_damaged() -> None:
    with pytest.raises(DocumentDamaged):
        Compound(mail(PLAIN)[:512], ParseLimits())
    with pytest.raises(DocumentDamaged):
        Compound(b"no compound file at all" * 100, ParseLimits())


def test_a_file_whose_table_needs_a_table_of_its_own(parse) -> None:
    long = b"words " * 1_500_000  # 9 MB: more than the 109 sectors of numbers that the header has room for
    data = compound(message(text(0x0037, "x"), attachment(0, "a.txt", long)))
    assert parse(data, "a.msg").text.endswith(long.decode().strip())
    assert parse(data, "a.msg").warnings == ()


def test_entries_in_a_circle_or_beyond_the_end_are_damage() -> None:
    data = bytearray(compound(message(text(0x0037, "x"))))
    at = data.index("__substg1.0_0037001F".encode("utf-16-le"))
    for number in (0, 1, 2, 500):
        broken = bytes(data[: at + 72]) + struct.pack("<I", number) + bytes(data[at + 76 :])
        with pytest.raises(DocumentDamaged):
            Compound(broken, ParseLimits())


def test_a_directory_that_breaks_off_is_damage() -> None:
    people = {}
    for number in range(200):
        people.update(recipient(number, "name", "a@x.test"))
    data = compound(message(people))
    start = struct.unpack_from("<I", data, 48)[0]
    fat = struct.unpack_from("<I", data, 76)[0]
    entry = (fat + 1) * 512 + (start + 3) * 4 if start + 3 < 128 else None
    assert entry is not None
    broken = data[:entry] + struct.pack("<I", 0x00FFFFFF) + data[entry + 4 :]
    with pytest.raises(DocumentDamaged):
        Compound(broken, ParseLimits())


def test_many_and_deep_storages_are_read_without_recursion(child) -> None:
    deep = {"x": message(header=24)}
    for level in range(400):
        deep = {f"s{level}": deep}
    people = {}
    for number in range(14_000):
        people.update(recipient(number, f"n{number}", "a@x.test"))
    data = compound(message(text(0x0037, "s"), {**deep, **people}))
    with pytest.raises(DocumentTooLarge, match="40,000 entries"):
        child.parse(data, filename="a.msg")
    small = compound(message(text(0x0037, "s"), {**deep, **dict(list(people.items())[:5_000])}))
    assert child.parse(small, filename="a.msg").text.endswith("n4999 <a@x.test>")
