"""Text recognition with RapidOCR, whose models are inside its wheel. Runs only in a child process.

Page pictures come from PDFium or Pillow; every character keeps a box, so that a quotation can be lit on a scan.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from knowledge.errors import DocumentDamaged, DocumentTooLarge
from knowledge.parsing.formats import PDF
from knowledge.parsing.recognition import Box, RecognisedLine, RecognisedPage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from knowledge.parsing.ocr_boxes import Quad

    Picture = npt.NDArray[np.uint8]

__all__ = ["available", "recognise"]

DOTS_PER_INCH = 150
MAX_SIDE = 4_000  # pixels of a page picture; larger ones are scaled down
MAX_PIXELS = 40_000_000
"""Pixels of an uploaded picture (design section 7)."""
MIN_CONFIDENCE = 0.5  # what the engine itself doubts is noise, not text

Place = Callable[[float, float], tuple[float, float]]
"""From pixels of the picture to points of the page."""


def available() -> bool:
    """Whether the extra ``ocr`` is installed."""
    return find_spec("rapidocr") is not None


def recognise(data: bytes, *, media_type: str, number: int) -> RecognisedPage:
    """Read the words of one page (1-based) of a PDF or a picture.

    :raises DocumentDamaged: the page cannot be drawn.
    :raises DocumentTooLarge: the picture has too many pixels.
    """
    return _pdf_page(data, number) if media_type == PDF else _picture(data, number)


def _pdf_page(data: bytes, number: int) -> RecognisedPage:
    import ctypes

    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    try:
        document = pdfium.PdfDocument(data)
        page = document[number - 1]
    except (pdfium.PdfiumError, IndexError) as err:
        raise DocumentDamaged(f"Page {number} could not be opened for text recognition.") from err
    width, height = page.get_size()
    scale = min(DOTS_PER_INCH / 72, MAX_SIDE / max(width, height, 1.0))
    picture: Picture = page.render(scale=scale, rev_byteorder=False).to_numpy()
    high, wide = picture.shape[:2]
    x, y = ctypes.c_double(), ctypes.c_double()

    def place(left: float, top: float) -> tuple[float, float]:
        raw.FPDF_DeviceToPage(page, 0, 0, wide * 16, high * 16, 0, round(left * 16), round(top * 16), x, y)
        return x.value, y.value

    lines = tuple(_lines(picture, place))
    page.close()
    document.close()
    return RecognisedPage(number=number, width=width, height=height, lines=lines)


def _picture(data: bytes, number: int) -> RecognisedPage:
    import numpy as np
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses from twice this on
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.seek(number - 1)
            if opened.width * opened.height > MAX_PIXELS:
                raise DocumentTooLarge(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise DocumentTooLarge(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.") from err
    except (OSError, ValueError, SyntaxError, EOFError, IndexError) as err:
        raise DocumentDamaged("The picture is damaged and could not be opened.") from err
    width, height = picture.size
    shrink = min(1.0, MAX_SIDE / max(width, height))
    if shrink < 1:
        picture = picture.resize((max(1, round(width * shrink)), max(1, round(height * shrink))))
    pixels: Picture = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])

    def place(left: float, top: float) -> tuple[float, float]:
        return left / shrink, height - top / shrink

    return RecognisedPage(number=number, width=width, height=height, lines=tuple(_lines(pixels, place)))


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(params={"Global.log_level": "critical", **threads})


def _lines(picture: Picture, place: Place) -> Iterator[RecognisedLine]:
    """The engine's lines in its own order, characters with their boxes."""
    turns, found = _upright(picture)
    high, wide = picture.shape[:2]

    def back(x: float, y: float) -> tuple[float, float]:
        """From pixels of the turned picture to the page."""
        return place(*((x, y), (wide - y, x), (wide - x, high - y), (y, high - x))[turns])

    if not found.txts:
        return
    import numpy as np

    from knowledge.parsing.ocr_boxes import set_right

    grey = np.rot90(picture.mean(axis=2), turns)
    words = found.word_results or ()
    for number, (text, score, outline) in enumerate(zip(found.txts, found.scores, found.boxes, strict=True)):
        text = _plain(text)
        if not text.strip() or score < MIN_CONFIDENCE:
            continue
        characters = words[number] if number < len(words) else ()
        quads = set_right(grey, text, _quads(text, characters, outline), outline)
        boxes = tuple(_placed(quad, back) for quad in quads)
        yield RecognisedLine(text=text, confidence=round(float(score), 3), boxes=boxes)


def _upright(picture: Picture) -> tuple[int, Any]:
    """Read the picture as it stands and, where its lines are upright or doubtful, turned; keep the surest reading.

    The engine's own classifier turns single lines round and then gives their characters mirrored boxes.

    :return: quarter turns against the clock, and what was read.
    """
    best, turns = _read(picture), 0
    share, surest = _upright_share(best), _certainty(best)
    if not len(best.txts or ()) or (share < 0.5 and surest[1] >= 0.8):
        return 0, best
    for candidate in (1, 3) if share >= 0.5 else (2,):
        found = _read(picture, candidate)
        if _certainty(found) > surest:
            best, turns, surest = found, candidate, _certainty(found)
    return turns, best


def _read(picture: Picture, turns: int = 0) -> Any:
    import numpy as np

    turned = np.ascontiguousarray(np.rot90(picture, turns))
    return _engine()(turned, use_cls=False, return_word_box=True, return_single_char_box=True)


def _upright_share(found: Any) -> float:
    """The share of characters in lines that are higher than wide."""
    upright = total = 0
    for text, outline in zip(found.txts or (), found.boxes if found.txts else (), strict=True):
        total += len(text)
        if len(text) > 1 and abs(outline[3][1] - outline[0][1]) > 1.5 * abs(outline[1][0] - outline[0][0]):
            upright += len(text)
    return upright / total if total else 0.0


def _certainty(found: Any) -> tuple[float, float]:
    """How well a reading fits, greater is surer: characters that lie as they should times confidence, and its mean."""
    pairs = [(float(score), len(text)) for text, score in zip(found.txts or (), found.scores or (), strict=True)]
    total = sum(length for _, length in pairs)
    if not total:
        return 0.0, 0.0
    weighed = sum(score * length for score, length in pairs)
    return weighed * (1 - _upright_share(found)), weighed / total


def _plain(text: str) -> str:
    return "".join(" " if c.isspace() else c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))


def _quads(text: str, characters: Sequence[Any], outline: Quad) -> list[Quad | None]:
    """One outline for each character; spaces have none. Shared out evenly where the engine's do not fit the text."""
    read = [(str(one[0]), one[2]) for one in characters]
    if "".join(character for character, _ in read) == text.replace(" ", "") and all(len(c) == 1 for c, _ in read):
        quads = iter(read)
        return [None if character == " " else next(quads)[1] for character in text]
    return [None if character == " " else _share(outline, index, len(text)) for index, character in enumerate(text)]


def _share(outline: Quad, index: int, count: int) -> Quad:
    """The part of a line's outline (clockwise from its top left) that its n-th character takes."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = ((float(x), float(y)) for x, y in outline)
    low, high = index / count, (index + 1) / count
    return [
        (ax + (bx - ax) * low, ay + (by - ay) * low), (ax + (bx - ax) * high, ay + (by - ay) * high),
        (dx + (cx - dx) * high, dy + (cy - dy) * high), (dx + (cx - dx) * low, dy + (cy - dy) * low),
    ]  # fmt: skip


def _placed(quad: Quad | None, place: Place) -> Box:
    if quad is None:
        return (0.0, 0.0, 0.0, 0.0)
    points = [place(float(x), float(y)) for x, y in quad]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))
