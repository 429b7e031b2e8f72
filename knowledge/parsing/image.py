"""Pictures of text: photographs, faxes, scans. Read by text recognition alone."""

from __future__ import annotations

import io
from typing import ClassVar

from knowledge.errors import DocumentDamaged, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing import formats
from knowledge.parsing.base import ParseContext
from knowledge.parsing.pdf_layout import lay_out
from knowledge.parsing.recognised_runs import page_runs
from knowledge.parsing.recognition import NeedsRecognition
from knowledge.parsing.registry import detect
from knowledge.types import ParsedDocument

MAX_PIXELS = 40_000_000


class ImageParser:
    name: ClassVar[str] = "image"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (
        formats.PNG, formats.JPEG, formats.TIFF, formats.BMP, formats.WEBP,
    )  # fmt: skip
    extensions: ClassVar[tuple[str, ...]] = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        if context.recognised is None:
            if context.may_recognise:
                raise NeedsRecognition(range(1, _frames(data, context) + 1))
            raise DocumentWithoutText(
                "A picture can be read only with text recognition (OCR), which is not installed. "
                "Start with OCR=1 make run, or upload the text."
            )
        pages = [page_runs(page) for page in context.recognised.values()]
        if not any(page.text.characters for page in pages):
            raise DocumentWithoutText("Text recognition found no words in the picture.")
        return lay_out(
            pages,
            parser=self.name,
            parser_version=self.version,
            media_type=detect(data, context.filename),
            title=None,
            warnings=("The text was read by text recognition (OCR); words may be wrong.",),
        )


def _frames(data: bytes, context: ParseContext) -> int:
    """Count the pictures in the file (TIFF holds several) without decoding one."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow refuses from twice this on
    try:
        with Image.open(io.BytesIO(data)) as picture:
            frames = int(getattr(picture, "n_frames", 1))
            pixels = picture.width * picture.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise _too_many_pixels() from err
    except (OSError, ValueError, SyntaxError, EOFError) as err:
        raise DocumentDamaged("The picture is damaged and could not be opened.") from err
    if pixels > MAX_PIXELS:
        raise _too_many_pixels()
    if frames > context.limits.pages:
        raise DocumentTooLarge(f"The picture has {frames:,} pages; at most {context.limits.pages:,} are accepted.")
    return frames


def _too_many_pixels() -> DocumentTooLarge:
    return DocumentTooLarge(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.")
