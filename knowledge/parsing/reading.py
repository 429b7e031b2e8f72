"""The way in for whoever reads documents: parse, and recognise what only pictures show."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from knowledge.errors import DocumentError, DocumentWithoutText, KnowledgeError, ParserCrashed
from knowledge.parsing.base import ParseLimits
from knowledge.parsing.recognition import NeedsRecognition, RecognisedPage
from knowledge.parsing.registry import detect
from knowledge.parsing.sandbox import ChildParser
from knowledge.types import ParsedDocument

__all__ = ["DocumentReader"]

logger = logging.getLogger(__name__)

OCR_MEMORY_BYTES = 3 * 1024 * 1024 * 1024  # address space; about 0.9 GB of it is used
OCR_CPU_SECONDS = 120  # of one page
OCR_WALL_SECONDS = 240

Progress = Callable[[int, int], None]
"""Called with the pages recognised so far and all of them; what it raises ends the reading."""


class DocumentReader:
    """A parser child, and a second child for text recognition that is started when a page needs it."""

    def __init__(self, *, recognition: bool = False, max_pages: int = 500) -> None:
        """``recognition``: the extra ``ocr`` is there and wanted; ``max_pages``: the most it reads of one document."""
        self._parser = ChildParser()
        self._recogniser = ChildParser(keep_bytes=OCR_MEMORY_BYTES) if recognition else None
        self._max_pages = max_pages

    def parse(
        self, data: bytes, *, filename: str, limits: ParseLimits | None = None, progress: Progress | None = None
    ) -> ParsedDocument:
        """Parse one document.

        :raises DocumentError: the document cannot be read; the class says why.
        :raises ParserCrashed: the child died, or ran out of time or memory.
        """
        limits = limits or ParseLimits()
        try:
            return self._parser.parse(
                data, filename=filename, limits=limits, may_recognise=self._recogniser is not None
            )
        except NeedsRecognition as need:
            pages = need.pages
        recognised, failure = self._recognise(data, detect(data, filename), pages[: self._max_pages], limits, progress)
        try:
            document = self._parser.parse(data, filename=filename, limits=limits, recognised=recognised)
        except DocumentWithoutText:
            if failure is None:
                raise
            raise failure from None
        if len(pages) <= self._max_pages:
            return document
        more = len(pages) - self._max_pages
        pages_were = "page was" if more == 1 else "pages were"
        left = f"{more:,} further {pages_were} not recognised: at most {self._max_pages:,} are."
        return replace(document, warnings=(*document.warnings, left))

    def kill(self) -> None:
        """End what is being read at once, from another thread; ``parse`` then raises :class:`ParserCrashed`."""
        self._parser.kill()
        if self._recogniser is not None:
            self._recogniser.kill()

    def close(self) -> None:
        """Stop the children; a later ``parse`` starts others."""
        self._parser.close()
        if self._recogniser is not None:
            self._recogniser.close()

    def _recognise(
        self, data: bytes, media_type: str, pages: tuple[int, ...], limits: ParseLimits, progress: Progress | None
    ) -> tuple[dict[int, RecognisedPage], KnowledgeError | None]:
        """Read page after page; one that fails is left out, and the parser then says that it has no text.

        :return: the pages by number, and the first failure.
        """
        assert self._recogniser is not None
        own = replace(limits, memory_bytes=OCR_MEMORY_BYTES, cpu_seconds=OCR_CPU_SECONDS, wall_seconds=OCR_WALL_SECONDS)
        result: dict[int, RecognisedPage] = {}
        failure: KnowledgeError | None = None
        for done, number in enumerate(pages):
            if progress is not None:
                progress(done, len(pages))
            try:
                result[number] = self._recogniser.recognise(data, media_type=media_type, number=number, limits=own)
            except (DocumentError, ParserCrashed) as error:
                logger.warning("text recognition of page %d failed: %s", number, error.message)
                failure = failure or error
        return result, failure
