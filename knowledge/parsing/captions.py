"""Captions and subtitles (WebVTT, SRT): what is said, as paragraphs by speaker; times are attributes, not text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from knowledge.errors import DocumentDamaged
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.decode import decode
from knowledge.parsing.formats import SRT, VTT
from knowledge.parsing.invisible import invisible_characters
from knowledge.types import BlockKind, ParsedDocument

FULL: Final = 500  # characters a paragraph does not outgrow by another cue
ENOUGH: Final = 300  # characters after which a paragraph ends with its sentence
SILENCE: Final = 15.0  # seconds after which something new begins
_ROLLING: Final = 0.25  # seconds between cues of which the second may repeat lines of the first
_GROWING: Final = 12  # characters a line must have before a longer one counts as the same line, grown
_LINES_NAMED: Final = 10

_STAMP = r"(?:([0-9]{1,4}):)?([0-9]{1,2}):([0-9]{1,2})(?:[.,]([0-9]{1,3}))?"
_TIMING: Final = re.compile(rf"\s*{_STAMP}\s*-->\s*{_STAMP}(?![0-9:.,])")
_TAG: Final = re.compile(
    r"<(?P<voice>v)(?:\.[^\s>]{0,80})?[ \t](?P<name>[^<>]{1,200})>|(?P<end></v>)"
    r"|</?(?:c|i|b|u|s|ruby|lang|font|v)(?:[.\s][^<>]{0,200})?>|<[0-9:.]{5,16}>|\{\\[^{}]{1,80}\}|(?P<rt><(?P<shut>/?)rt>)"
)
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{2,10});")
_SENTENCE_END: Final = re.compile(r"[.!?…。！？][\"'”’»)\]」』]*$")
_LETTER: Final = re.compile(r"[^\W\d_]")
_WIDE: Final = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
_ASIDE: Final = ("NOTE", "STYLE", "REGION")

Said = tuple[str, str]
"""``(speaker or "", one line)``"""


@dataclass(slots=True)
class _Cue:
    time: tuple[float, float] | None  # seconds
    lines: list[Said] = field(default_factory=list)


class WebVttParser:
    name: ClassVar[str] = "webvtt"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (VTT,)
    extensions: ClassVar[tuple[str, ...]] = (".vtt",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        lines = decode(data).split("\n")
        title, start = None, 0
        if lines[0].lstrip("\ufeff").startswith("WEBVTT"):
            title = lines[0].lstrip("\ufeff")[6:].strip(" \t-") or None
            while start < len(lines) and lines[start].strip() and "-->" not in lines[start]:
                start += 1  # the header: kind, language
        return _document(self, lines, start, title=title)


class SrtParser:
    name: ClassVar[str] = "srt"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (SRT,)
    extensions: ClassVar[tuple[str, ...]] = (".srt",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        return _document(self, decode(data).split("\n"), 0, title=None)


def _document(parser: WebVttParser | SrtParser, lines: list[str], start: int, *, title: str | None) -> ParsedDocument:
    """Build the paragraphs.

    :raises DocumentDamaged: there is text, but no time in the whole file.
    :raises DocumentWithoutText: nothing is said.
    """
    broken: list[int] = []
    cues = list(_cues(lines, start, broken, web=isinstance(parser, WebVttParser)))
    if any(cue.lines for cue in cues) and not any(cue.time for cue in cues):
        raise DocumentDamaged("The file has no caption with a time that can be read.")
    builder = TextBuilder()
    for turn in _paragraphs(_said_once(cues)):
        turn.add_to(builder)
    document = builder.document(
        parser=parser.name,
        parser_version=parser.version,
        media_type=parser.media_types[0],
        title=title,
        warnings=_warning(broken),
    )
    hidden = invisible_characters(document.text)
    return replace(document, warnings=document.warnings + hidden)


def _warning(broken: Sequence[int]) -> tuple[str, ...]:
    if not broken:
        return ()
    named = ", ".join(f"{line:,}" for line in broken[:_LINES_NAMED])
    more = f" and {len(broken) - _LINES_NAMED:,} more" if len(broken) > _LINES_NAMED else ""
    return (f"Captions without a time that can be read are kept without one: line {named}{more}.",)


def _cues(lines: Sequence[str], start: int, broken: list[int], *, web: bool) -> Iterator[_Cue]:
    """Yield the cues; the numbers of lines that should have told a time and do not go to ``broken``."""
    cue: _Cue | None = None
    speaker = ""
    fresh = True  # a blank line, or nothing, comes before
    index = start
    while index < len(lines):
        line = lines[index].strip()
        if not line:
            fresh = True
        elif "-->" in line:
            if cue:
                yield cue
            cue, speaker = _Cue(time=_time(line)), ""
            if cue.time is None:
                broken.append(index + 1)
                if _LETTER.search(line):  # an arrow within what is said
                    speaker = _add_line(cue, line, speaker)
            fresh = False
        elif fresh and web and line.split(maxsplit=1)[0] in _ASIDE:
            index = _after_paragraph(lines, index)
        elif not _is_identifier(lines, index, fresh=fresh, web=web):
            if cue is None or (fresh and web and cue.lines):  # words of no cue
                if cue:
                    yield cue
                cue, speaker = _Cue(time=None), ""
                broken.append(index + 1)
            speaker = _add_line(cue, line, speaker)
            fresh = False
        index += 1
    if cue:
        yield cue


def _after_paragraph(lines: Sequence[str], index: int) -> int:
    """The last line of a comment: the one before a blank line or a time."""
    while index + 1 < len(lines) and lines[index + 1].strip() and "-->" not in lines[index + 1]:
        index += 1
    return index


def _is_identifier(lines: Sequence[str], index: int, *, fresh: bool, web: bool) -> bool:
    """Whether this line only names the cue whose time is on the next line."""
    following = lines[index + 1] if index + 1 < len(lines) else ""
    if "-->" not in following:
        return False
    return (web and fresh) or lines[index].strip().lstrip("\ufeff").isdecimal()


def _time(line: str) -> tuple[float, float] | None:
    """Start and end in seconds; None when they are not two times in order."""
    match = _TIMING.match(line)
    if match is None:
        return None
    start, end = (_seconds(*match.group(*range(first, first + 4))) for first in (1, 5))
    return (start, end) if start <= end else None


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    return round(int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}"), 3)


def _add_line(cue: _Cue, line: str, speaker: str) -> str:
    """Put what a line says into the cue, a part for each voice; return who speaks at its end."""
    position, words = 0, ""
    for tag in _TAG.finditer(line):
        words += line[position : tag.start()]
        position = tag.end()
        if tag["voice"] or tag["end"]:
            _say(cue, speaker, words)
            words, speaker = "", " ".join(_plain(tag["name"] or "").split())
        elif tag["rt"]:  # the reading of a word stands in brackets behind it
            words += ")" if tag["shut"] else "("
    _say(cue, speaker, words + line[position:])
    return speaker


def _say(cue: _Cue, speaker: str, words: str) -> None:
    if text := " ".join(_plain(words).split()):
        cue.lines.append((speaker, text))


def _plain(words: str) -> str:
    return _ENTITY.sub(lambda entity: html.unescape(entity.group()).replace("\0", ""), words)


def _said_once(cues: Sequence[_Cue]) -> Iterator[_Cue]:
    """Yield cues without the lines that a rolling caption only shows again.

    That is told by time: cues that follow each other at once and begin with the last lines of the one before.
    """
    before: _Cue | None = None
    for cue in cues:
        new = cue.lines
        if before and before.time and cue.time and -_ROLLING <= cue.time[0] - before.time[1] <= _ROLLING:
            new = _new_lines(before.lines, cue.lines)
        yield _Cue(time=cue.time, lines=new)
        before = cue


def _new_lines(before: list[Said], now: list[Said]) -> list[Said]:
    for count in range(min(len(before), len(now), 10), 0, -1):
        if before[-count:] == now[:count]:
            return now[count:]
    if len(before) == len(now) == 1 and len(before[0][1]) >= _GROWING:
        (speaker, shown), (same, grown) = before[0], now[0]
        if speaker == same and grown.startswith(shown + " "):
            return [(speaker, grown[len(shown) + 1 :])]
    return now


@dataclass(slots=True)
class _Paragraph:
    speaker: str
    named: bool  # the first of a turn begins with the name
    time: tuple[float, float] | None
    parts: list[str] = field(default_factory=list)
    length: int = 0

    def takes(self, words: str, time: tuple[float, float] | None) -> bool:
        if (self.time is None) != (time is None) or self.length + len(words) > FULL:
            return False
        if self.time and time and not -FULL < time[0] - self.time[1] <= SILENCE:
            return False
        return self.length < ENOUGH or not _SENTENCE_END.search(self.parts[-1])

    def append(self, words: str, time: tuple[float, float] | None) -> None:
        wide = self.parts and _WIDE.match(self.parts[-1][-1]) and _WIDE.match(words)
        if self.parts and not wide:
            self.parts.append(" ")
        self.parts.append(words)
        self.length += len(words) + 1
        if self.time and time:
            self.time = (min(self.time[0], time[0]), max(self.time[1], time[1]))

    def add_to(self, builder: TextBuilder) -> None:
        attrs: dict[str, object] = {"speaker": self.speaker} if self.speaker else {}
        if self.time:
            attrs["time"] = list(self.time)
        name = f"{self.speaker}: " if self.speaker and self.named else ""
        builder.add(BlockKind.PARAGRAPH, name + "".join(self.parts), attrs=attrs)


def _paragraphs(cues: Iterator[_Cue]) -> Iterator[_Paragraph]:
    """Join what one speaker says up to about 500 characters, ending with a sentence where one ends."""
    current: _Paragraph | None = None
    for cue in cues:
        if current and not cue.lines and current.time and cue.time:  # only shown for longer
            current.time = (current.time[0], max(current.time[1], cue.time[1]))
        for speaker, words in cue.lines:
            same = current is not None and current.speaker == speaker
            if current is None or not same or not current.takes(words, cue.time):
                if current:
                    yield current
                current = _Paragraph(speaker=speaker, named=not same, time=cue.time)
            current.append(words, cue.time)
    if current:
        yield current
