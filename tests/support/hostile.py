"""The hostile corpus: every file of shared/reference/security-and-faults.md, section 4.1, made in memory when asked for.

``python tests/support/hostile_table.py`` prints the table of docs/benchmarks.md. S01 and S02 are about uploads, not files:
see tests/knowledge/documents/test_hostile_uploads.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from knowledge.errors import DocumentError, KnowledgeError, ParserCrashed, UnsupportedFormat
from knowledge.parsing import formats
from knowledge.types import ParsedDocument

READY, WARNINGS = "ready", "ready with warnings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The document must be read: whole, or with a sentence on what is missing."""

    holds: tuple[str, ...] = ()  # words that must come out
    lacks: tuple[str, ...] = ()  # words that must not
    length: int | None = None  # characters of the whole text
    whole: str | None = None  # the whole text
    warns: str = ""  # words of a warning that must be there

    def unmet(self, document: ParsedDocument) -> list[str]:
        """Say what is not as it must be."""
        text = document.text
        found = [f"missing: {words[:60]!r}" for words in self.holds if words not in text]
        found += [f"should not come out: {words[:60]!r}" for words in self.lacks if words in text]
        if self.length is not None and len(text) != self.length:
            found.append(f"{len(text):,} characters instead of {self.length:,}")
        if self.whole is not None and text != self.whole:
            found.append(f"another text: {text[:80]!r}")
        if self.warns and self.warns not in " ".join(document.warnings):
            found.append(f"no warning with {self.warns!r}: {document.warnings}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The document must be refused with one of these errors and, in small letters, one of these words."""

    errors: tuple[type[KnowledgeError], ...] = (DocumentError,)
    words: tuple[str, ...] = ("",)

    def unmet(self, error: KnowledgeError) -> list[str]:
        found = [] if isinstance(error, self.errors) else [f"{type(error).__name__} instead of {self.errors}"]
        if not any(word in error.message.lower() for word in self.words):
            found.append(f"none of {self.words} in {error.message!r}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One hostile file and what must become of it."""

    row: str  # of section 4.1
    name: str  # as uploaded
    make: Callable[[], bytes]
    ready: Ready | None = None  # None: it must not be ready
    failed: Failed | None = None  # None: it must not fail
    format: str = formats.TEXT  # refused as unsupported, which is right too, while nothing reads this
    seconds: float = 60.0  # it may take, on a busy machine
    slow: bool = False  # wants the machine for itself
    label: str = ""  # for lists, where the name itself is hostile

    @property
    def title(self) -> str:
        return f"{self.row} {self.label or self.name}"

    def unmet(self, outcome: ParsedDocument | KnowledgeError) -> list[str]:
        """Say what is wrong with how it ended."""
        if isinstance(outcome, KnowledgeError):
            return _badly_said(outcome.message) + self._unmet(outcome)
        return [f for warning in outcome.warnings for f in _badly_said(warning)] + (
            self.ready.unmet(outcome) if self.ready else [f"it was read: {outcome.text[:80]!r}"]
        )

    def _unmet(self, error: KnowledgeError) -> list[str]:
        unread = not formats.BY_MEDIA_TYPE[self.format].parser
        if unread and isinstance(error, UnsupportedFormat):
            return []
        return self.failed.unmet(error) if self.failed else [f"not read: {error.message}"]


def _badly_said(message: str) -> list[str]:
    """A sentence for people: begins with a capital letter or a number, ends with a full stop, names no defect of ours."""
    good = (
        len(message) > 15
        and not message[0].islower()
        and message.endswith((".", ".)"))
        and "did not expect" not in message
    )
    return [] if good else [f"not a clear sentence: {message!r}"]


def describe(outcome: ParsedDocument | KnowledgeError) -> str:
    """Name an outcome as the documents page does."""
    if isinstance(outcome, KnowledgeError):
        return f"failed: {outcome.message}"
    return f"{WARNINGS}: {' '.join(outcome.warnings)}" if outcome.warnings else READY


def refused(*errors: type[KnowledgeError], words: str = "") -> Failed:
    """``words`` are parted by ``|``."""
    return Failed(errors=errors or (DocumentError,), words=tuple(words.split("|")))


def over(words: str) -> Failed:
    """A limit: told by the reader, or by the walls of its process."""
    return refused(DocumentError, ParserCrashed, words=f"{words}|memory|processor time")


def cases() -> tuple[Case, ...]:
    """The whole corpus, in the order of section 4.1."""
    from hostile_more import MORE
    from hostile_names import NAMES
    from hostile_office import OFFICE
    from hostile_pdf import PDFS
    from hostile_text import TEXTS

    return (*PDFS, *OFFICE, *TEXTS, *MORE, *NAMES)
