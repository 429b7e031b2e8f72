"""Text recognition: what travels between processes, and the real engine on pictures drawn here."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import office
import pytest

from knowledge.errors import DocumentDamaged, DocumentError, DocumentTooLarge
from knowledge.parsing import ocr, rects
from knowledge.parsing.formats import JPEG, PNG
from knowledge.parsing.reading import DocumentReader
from knowledge.parsing.recognition import RecognisedLine, RecognisedPage, page_from_json, page_to_json, pages_from_json

PAGE = RecognisedPage(
    number=3,
    width=612.0,
    height=792.0,
    lines=(RecognisedLine(text="a b", confidence=0.9, boxes=((1.0, 2.0, 3.0, 4.0), (0.0,) * 4, (5.0, 2.0, 7.0, 4.0))),),
)


def test_a_page_comes_back_as_it_was() -> None:
    assert page_from_json(page_to_json(PAGE)) == PAGE
    assert pages_from_json([page_to_json(PAGE)]) == {3: PAGE}


@pytest.mark.parametrize(
    "broken",
    [
        None, [], [1, 2, 3], ["x", 1, 1, []], [1, "nan", 1, []], [1, 1, 1, [["ab", 0.5, [1, 2, 3, 4]]]],
        [1, 1, 1, [[5, 0.5, []]]], [1, 1, 1, [["a", 0.5, [1, 2, 3, float("inf")]]]],
        [1, 1, 1, [["a" * 200_000, 0.5, [0] * 800_000]]],
    ],
)  # fmt: skip
def test_what_a_taken_over_engine_might_say_is_refused(broken: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        page_from_json(broken)


@pytest.fixture(scope="module")
def drawn() -> Callable[..., bytes]:
    """Call with lines of words: a picture of them."""
    image, draw, font = (pytest.importorskip(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont"))

    def make(*lines: str, kind: str = "PNG", turn: int = 0, size: int = 36) -> bytes:
        picture = image.new("RGB", (900, 90 + 70 * len(lines)), "white")
        pen = draw.Draw(picture)
        for number, line in enumerate(lines):
            pen.text((40, 40 + 70 * number), line, fill="black", font=font.load_default(size))
        out = io.BytesIO()
        picture.rotate(turn, expand=True).save(out, kind)
        return out.getvalue()

    return make


@pytest.fixture(scope="module")
def reader(missing_part: Callable[[str, str], Any]) -> Iterator[DocumentReader]:
    if not ocr.available():
        missing_part("Text recognition", "make install-dev")
    opened = DocumentReader(recognition=True)
    yield opened
    opened.close()


def test_words_of_a_picture_are_read_and_every_character_has_its_box(reader, drawn) -> None:
    data = drawn("The ferry leaves at 05:40", "from the northern pier.")
    document = reader.parse(data, filename="photo.png")
    assert document.text.split() == "The ferry leaves at 05:40 from the northern pier.".split()
    assert document.media_type == PNG
    assert "OCR" in document.warnings[0]
    block = document.blocks[0]
    assert block.attrs["source"] == "ocr"
    assert 0.8 < block.attrs["confidence"] <= 1
    assert document.boxes is not None
    start = document.text.index("05:40")
    boxes = document.boxes.xyxy[start : start + 5]
    width, height = document.pages[0].width, document.pages[0].height
    assert (width, height) == (900, 230)
    assert (boxes[:, 0] >= 0).all()
    assert (boxes[:, 2] <= width).all()
    assert (boxes[1:, 0] > boxes[:-1, 0]).all(), "the characters stand beside each other"
    assert height - 100 < boxes[:, 1].min() < boxes[:, 3].max() < height - 20, "on the first line, y upwards"


def test_a_word_is_lit_where_its_ink_is(reader, drawn) -> None:
    """The engine alone is off by up to half a character, which lights the word before."""
    from PIL import ImageFont

    line = "Pencils only, no ink on Friday"
    document = reader.parse(drawn(line), filename="a.png")
    assert document.text == line
    assert document.boxes is not None
    font = ImageFont.load_default(36)
    for start, word in [(match.start(), match.group()) for match in re.finditer(r"\S+", line)]:
        found = rects(document.boxes, start, start + len(word))
        assert len(found) == 1
        left, right = 40 + font.getlength(line[:start]), 40 + font.getlength(line[: start + len(word)])
        assert found[0][1] == pytest.approx(left, abs=5), word
        assert found[0][3] == pytest.approx(right, abs=5), word


@pytest.mark.parametrize(("turn", "axis", "sign"), [(90, 1, 1), (180, 0, -1), (270, 1, -1)])
def test_a_picture_that_lies_on_its_side_is_read_the_right_way(reader, drawn, turn: int, axis: int, sign: int) -> None:
    document = reader.parse(drawn("Pencils only in the reading room", "and no ink.", turn=turn), filename="a.png")
    assert document.text.split() == "Pencils only in the reading room and no ink.".split()
    assert document.boxes is not None
    first, last = (document.boxes.xyxy[document.text.index(word)] for word in ("Pencils", "room"))
    assert sign * (last[axis] - first[axis]) > 100, "the boxes run as the words do"


def test_a_scanned_pdf_page_is_read_and_pages_with_text_are_left_alone(reader, drawn, make_pdf) -> None:
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(drawn("Only a picture of 129 crowns"))).save(out, "PDF", resolution=100)
    asked: list[tuple[int, int]] = []
    document = reader.parse(
        out.getvalue(), filename="scan.pdf", progress=lambda done, pages: asked.append((done, pages))
    )
    assert "129 crowns" in document.text
    assert asked == [(0, 1)]
    asked.clear()
    reader.parse(
        make_pdf([[(72, 700, 12, "A page of text.")]]), filename="text.pdf", progress=lambda *args: asked.append(args)
    )
    assert asked == []


def test_a_picture_without_words_says_so(reader, drawn) -> None:
    with pytest.raises(DocumentError, match="no words"):
        reader.parse(drawn(), filename="blank.png")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" + bytes(100), b"\xff\xd8\xff\xe0" + b"\x00JFIF" * 20])
def test_a_broken_picture_is_refused_in_words(reader, data: bytes) -> None:
    with pytest.raises(DocumentDamaged):
        reader.parse(data, filename="")


def test_a_picture_bomb_is_refused_before_it_is_decoded(reader) -> None:
    from PIL import Image

    out = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(out, "PNG")
    with pytest.raises(DocumentTooLarge, match="million pixels"):
        reader.parse(out.getvalue(), filename="bomb.png")


def test_without_text_recognition_a_picture_says_what_is_missing(drawn) -> None:
    reader = DocumentReader(recognition=False)
    with pytest.raises(DocumentError, match="OCR"):
        reader.parse(drawn("x", kind="JPEG"), filename="a.jpg")
    reader.close()


def test_what_a_progress_call_raises_ends_the_reading(reader, drawn) -> None:
    class Gone(Exception):
        pass

    def gone(done: int, pages: int) -> None:
        raise Gone

    with pytest.raises(Gone):
        reader.parse(drawn("Some words", kind="JPEG"), filename="a.jpg", progress=gone)
    assert JPEG in reader.parse(drawn("Some words", kind="JPEG"), filename="a.jpg").media_type


def test_more_pages_than_allowed_are_counted_in_a_warning(drawn) -> None:
    if not ocr.available():
        pytest.skip("text recognition is not installed")
    from PIL import Image

    pages = [Image.open(io.BytesIO(drawn(words))) for words in ("first page", "second page", "third page")]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    reader = DocumentReader(recognition=True, max_pages=2)
    document = reader.parse(out.getvalue(), filename="fax.tiff")
    reader.close()
    assert [page.number for page in document.pages] == [1, 2]
    assert "second" in document.text
    assert "third" not in document.text
    assert "1 further page" in document.warnings[-1]


SCANS = [one for one in office.of_format("pdf") if one.values[0] is None or one.values[0].row["expect"] == "needs_ocr"]


@pytest.mark.parametrize("expected", SCANS)
def test_real_scans_are_read(reader, expected: office.Expected) -> None:
    document = reader.parse(expected.data, filename=expected.file.name)
    assert office.unmet(document, expected.row) == []
    assert {page.source for page in document.pages} <= {"ocr", "none"}


def test_a_picture_that_fails_says_why_and_not_that_it_has_no_words(reader, drawn) -> None:
    whole = drawn("Some words that cannot be seen")
    with pytest.raises(DocumentDamaged, match="damaged"):
        reader.parse(whole[: len(whole) // 2], filename="cut.png")
