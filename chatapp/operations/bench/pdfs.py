"""PDFs made up for measuring: a book, and one page for each thing that makes highlights go wrong."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping, Sequence

_WORDS = (
    "the harbour mooring fee is set by council each spring and applies to every vessel that stays overnight within "
    "inner basin of station until further notice crew records depth wind pressure before leaving"
).split()
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשת"
_WIDTH, _HEIGHT = 595, 842
_FONTS = b"<</F1 3 0 R/F2 4 0 R/F3 5 0 R/F4 6 0 R>>"


def prose(random_: random.Random, characters: int) -> str:
    """Return a line of about so many characters."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < characters:
        words.append(random_.choice(_WORDS) + ("." if random_.random() < 0.08 else ""))
    return " ".join(words)


def _string(text: str) -> bytes:
    plain = text.encode("latin-1")
    return b"(%s)" % plain.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def line(text: str, x: float, y: float, *, size: float = 10, font: str = "F1", turn: str = "1 0 0 1") -> bytes:
    """Return the operators that show a line at a place; ``turn`` is the first part of its text matrix."""
    return b"BT /%s %g Tf %s %g %g Tm %s Tj ET\n" % (font.encode(), size, turn.encode(), x, y, _string(text))


def document(
    pages: Sequence[bytes], *, entries: bytes = b"", more: Sequence[bytes] = (), catalog: bytes = b""
) -> bytes:
    """Return a PDF with these content streams; ``entries`` go into every page, ``more`` are objects from 9 on."""
    first = 9 + len(more)
    kids = b" ".join(b"%d 0 R" % (first + 2 * n) for n in range(len(pages)))
    hebrew = {65 + n: letter for n, letter in enumerate(_HEBREW)}
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 7 0 R>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding/ToUnicode 8 0 R>>",
        _stream(_to_unicode(hebrew)),
        _stream(_to_unicode({code: chr(code) for code in range(97, 123)} | {ord("W"): "ffi", ord("M"): "fi"})),
        *more,
    ]
    for n, content in enumerate(pages):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents %d 0 R/Resources<</Font%s>>%s>>"
            % (_WIDTH, _HEIGHT, first + 2 * n + 1, _FONTS, entries)
        )
        objects.append(_stream(content))
    return _file(objects)


def _stream(content: bytes, entries: bytes = b"") -> bytes:
    packed = zlib.compress(content)
    return b"<</Length %d/Filter/FlateDecode%s>>stream\n%s\nendstream" % (len(packed), entries, packed)


def _to_unicode(meanings: Mapping[int, str]) -> bytes:
    rows = "".join(f"<{code:02X}> <{text.encode('utf-16-be').hex()}>\n" for code, text in meanings.items())
    return (
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange\n"
        f"{len(meanings)} beginbfchar\n{rows}endbfchar endcmap"
    ).encode()


def book(pages: int, *, characters: int = 2_500) -> bytes:
    """Return a book of plain text with page numbers."""
    random_ = random.Random(pages)  # noqa: S311 - the same text every time is the point
    contents = []
    for number in range(1, pages + 1):
        lines = [line(prose(random_, 66), 72, 780 - 18 * n) for n in range(max(1, characters // 70))]
        contents.append(b"".join(lines) + line(str(number), 300, 30, size=8))
    return document(contents)


def trials(seed: int = 1) -> dict[str, bytes]:
    """Return one PDF for each thing that makes highlights go wrong, by its name."""
    random_ = random.Random(seed)  # noqa: S311
    body = _lines(random_, 30)
    found = {f"turned page {turn}": document([body], entries=b"/Rotate %d" % turn) for turn in (90, 180, 270)}
    found["cropped page"] = document([body], entries=b"/CropBox[60 200 520 700]")
    found["shifted page"] = document([body], entries=b"/MediaBox[30 100 560 800]")
    found["two columns"] = document([_columns(random_), _columns(random_)])
    for name, matrix in (("upwards", "0 1 -1 0"), ("downwards", "0 -1 1 0"), ("upside down", "-1 0 0 -1")):
        found[f"text {name}"] = document([_turned(random_, matrix)])
    found["right to left"] = document([_right_to_left(random_)])
    found["ligatures"] = document([_ligatures(random_)])
    found["hyphens"] = document([_hyphens(random_)])
    found["raised numbers"] = document([_raised(random_)])
    found["close lines"] = document([_lines(random_, 60, step=9.0)])
    found["table"] = document([_table(random_)])
    found["form"] = _form(random_)
    return found


def _lines(random_: random.Random, count: int, *, width: int = 70, x: float = 72, step: float = 14) -> bytes:
    return b"".join(line(prose(random_, width), x, 760 - step * n) for n in range(count))


def _columns(random_: random.Random) -> bytes:
    return _lines(random_, 34, width=34) + _lines(random_, 34, width=34, x=320)


def _turned(random_: random.Random, matrix: str) -> bytes:
    """Lines one below the other as seen in the direction of their text."""
    *_, c, d = map(int, matrix.split())
    return b"".join(line(prose(random_, 40), 300 - 14 * c * n, 420 - 14 * d * n, turn=matrix) for n in range(12))


def _right_to_left(random_: random.Random) -> bytes:
    """Hebrew as PDFs hold it: the glyphs from left to right, each line ending at the right margin."""
    lines = []
    for n in range(20):
        words = ["".join(chr(65 + random_.randrange(22)) for _ in range(random_.randint(2, 7))) for _ in range(8)]
        lines.append(line(" ".join(words), 120, 760 - 16 * n, font="F3"))
    return b"".join(lines)


def _ligatures(random_: random.Random) -> bytes:
    words = "oWce diWcult Mnal Msh coWn oMce Mgure".split()
    return b"".join(
        line(" ".join(random_.choice(words) for _ in range(9)), 72, 760 - 14 * n, font="F4") for n in range(20)
    )


def _hyphens(random_: random.Random) -> bytes:
    """Lines that end within a word."""
    lines = []
    for n in range(24):
        end = f" over{random_.choice(_WORDS)}-" if n % 2 == 0 else " at rest"
        start = "" if n % 2 == 0 else "night "
        lines.append(line(start + prose(random_, 50) + end, 72, 760 - 14 * n))
    return b"".join(lines)


def _raised(random_: random.Random) -> bytes:
    """Lines with a raised number in them, and their notes at the foot of the page."""
    out = b""
    for n in range(20):
        y = 760 - 14 * n
        out += b"BT /F1 10 Tf 72 %g Td %s Tj 4 Ts /F1 6 Tf (%d) Tj 0 Ts /F1 10 Tf %s Tj ET\n" % (
            y, _string(prose(random_, 30)), n + 1, _string(" " + prose(random_, 30)),
        )  # fmt: skip
    for n in range(3):
        note = _string(" " + prose(random_, 50))
        out += b"BT 72 %g Td 3 Ts /F1 5 Tf (%d) Tj 0 Ts /F1 7.5 Tf %s Tj ET\n" % (90 - 10 * n, n + 1, note)
    return out


def _table(random_: random.Random) -> bytes:
    rows = [["Harbour", "Vessels", "Depth", "Fee"]]
    rows += [[random_.choice(_WORDS).title(), str(random_.randint(3, 900)), f"{random_.random() * 20:.1f} m",
              f"{random_.randint(5, 99)} crowns"] for _ in range(25)]  # fmt: skip
    return b"".join(
        line(cell, 72 + 120 * column, 760 - 15 * n, font="F2" if n == 0 else "F1")
        for column in range(4)  # by column: the order of the file is not the order of reading
        for n, cell in enumerate(row[column] for row in rows)
    )


def _form(random_: random.Random) -> bytes:
    """Labels, and fields whose values only their appearance streams draw, or nothing does."""
    labels = b""
    fields: list[int] = []
    more: list[bytes] = []
    for n in range(12):
        y = 760 - 24 * n
        labels += line(f"Field {n + 1}:", 72, y)
        value = prose(random_, 20).replace(".", "")
        drawn = n % 2 == 0
        fields.append(9 + len(more))
        shown = b"/AP<</N %d 0 R>>" % (10 + len(more)) if drawn else b""
        more.append(
            b"<</Type/Annot/Subtype/Widget/FT/Tx/T(f%d)/V%s/DA(/Helv 10 Tf 0 g)/Rect[150 %d 400 %d]/F 4%s>>"
            % (n, _string(value), y - 5, y + 13, shown)
        )
        if drawn:
            content = b"/Tx BMC q BT /Helv 10 Tf 2 5 Td %s Tj ET Q EMC" % _string(value)
            entries = b"/Type/XObject/Subtype/Form/BBox[0 0 250 18]/Resources<</Font<</Helv 3 0 R>>>>"
            more.append(_stream(content, entries))
    names = b" ".join(b"%d 0 R" % number for number in fields)
    form = b"/AcroForm<</Fields[%s]/DR<</Font<</Helv 3 0 R>>>>/DA(/Helv 10 Tf 0 g)>>" % names
    return document([labels], entries=b"/Annots[%s]" % names, more=more, catalog=form)


def _file(objects: Sequence[bytes]) -> bytes:
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    end = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, end)
    return bytes(out)
