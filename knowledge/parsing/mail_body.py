"""The words of a mail: which of its alternatives to read, flowed lines joined, earlier mails told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from knowledge.errors import DocumentWithoutText
from knowledge.parsing.base import ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.html import add_html
from knowledge.types import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

__all__ = ["Body", "choose", "html_document", "plain_document", "unflow"]

QUOTED: Final[Mapping[str, Any]] = {"quoted": True}
_SAME_WORDS = 0.9  # share of the words of the HTML that the plain text must hold to say the same
_WORDS = re.compile(r"\w+")
_URL = re.compile(r"\b(?:https?|mailto):\S+")
_MARKS = re.compile(r"(?:>[ \t]?)++")
_BLANK_LINES = re.compile(r"\n{3,}")
_FROM = r"(?:From|Von|De|Da|Van|Från|Fra|Od|От|发件人|差出人|보낸 사람)"
_OTHER = (
    r"(?:Sent|Date|To|Cc|Subject|Gesendet|Datum|An|Betreff|Envoyé|À|A|Objet|Enviado(?: el)?|Fecha|Para|Asunto|Inviato|"
    r"Data|Oggetto|Assunto|Verzonden|Aan|Onderwerp|Skickat|Till|Ämne|Sendt|Til|Emne|Wysłano|Do|Temat|Дата|Кому|Тема|"
    r"发送时间|收件人|主题|送信日時|宛先|件名)"
)
_EARLIER = re.compile(
    rf"(?:[-_=]{{3,}}[^\n]*\n+)?[*]?{_FROM}[*]?\s?[:：][^\n]+\n(?:[^\n]+\n){{0,2}}?[*]?{_OTHER}[*]?\s?[:：]",
    re.IGNORECASE,
)
_QUOTING_CLASSES = re.compile(r"\b(?:gmail_quote|yahoo_quoted|moz-cite|protonmail_quote|quoted-text)\b")


@dataclass(frozen=True, slots=True)
class Body:
    """One readable body: its document, and whether it was written as HTML."""

    document: ParsedDocument
    html: bool


def plain_document(text: str) -> ParsedDocument | None:
    """Paragraphs of a plain text; lines marked with ``>`` and everything below an earlier mail's header are quoted."""
    builder = TextBuilder()
    earlier = False
    for lines, quoted in _paragraphs(_BLANK_LINES.sub("\n\n", text)):
        paragraph = "\n".join(lines)
        earlier = earlier or bool(_EARLIER.match(paragraph + "\n"))
        builder.add(BlockKind.PARAGRAPH, paragraph, attrs=QUOTED if quoted or earlier else None)
    return _document(builder)


def html_document(source: str, limits: ParseLimits) -> ParsedDocument | None:
    """The blocks of an HTML body, those of earlier mails marked."""
    builder = TextBuilder()
    add_html(builder, source, limits, attrs_of=_quotes)
    document = _document(builder)
    if document is None:
        return None
    first = next((b.ordinal for b in document.blocks if _EARLIER.match(document.text[b.start : b.end] + "\n")), None)
    if first is None:
        return document
    earlier = (replace(block, attrs={**block.attrs, **QUOTED}) for block in document.blocks[first:])
    return replace(document, blocks=(*document.blocks[:first], *earlier))


def _document(builder: TextBuilder) -> ParsedDocument | None:
    try:
        return builder.document(parser="", parser_version="", media_type="", title=None)
    except DocumentWithoutText:
        return None


def _quotes(node: LexborNode) -> Mapping[str, Any] | None:
    if node.tag not in ("blockquote", "div"):
        return None
    attributes = node.attributes
    if node.tag == "blockquote" and (attributes.get("type") or "").lower() == "cite":
        return QUOTED
    return QUOTED if _QUOTING_CLASSES.search((attributes.get("class") or "")[:200]) else None


def _paragraphs(text: str) -> Iterator[tuple[list[str], int]]:
    """Yield the lines of each paragraph and the depth of its quote; the marks of the quote go."""
    lines: list[str] = []
    depth = 0
    for line in text.split("\n"):
        marks = _MARKS.match(line)
        found = marks.group().count(">") if marks else 0
        shown = (line[marks.end() :] if marks else line).rstrip()
        if lines and (found != depth or not shown):
            yield lines, depth
            lines = []
        depth = found
        if shown:
            lines.append(shown)
    if lines:
        yield lines, depth


def unflow(text: str, *, delete_space: bool) -> str:
    """Join the lines of format=flowed (RFC 3676): one that ends with a space goes on in the next."""
    joined: list[str] = []
    open_depth: int | None = None  # depth of the quote of a line that goes on
    for line in text.split("\n"):
        marks = len(line) - len(line.lstrip(">"))
        content = line[marks:].removeprefix(" ")
        if open_depth == marks and content != "-- ":
            joined[-1] += content
        else:
            joined.append(f"{'>' * marks} {content}" if marks else content)
        flows = content.endswith(" ") and content != "-- "
        open_depth = marks if flows else None
        if flows and delete_space:
            joined[-1] = joined[-1][:-1]
    return "\n".join(joined)


def choose(bodies: Sequence[Body]) -> Body | None:
    """Take the richest of the alternatives, or the plain one when it says the same."""
    plain = next((body for body in bodies if not body.html), None)
    rich = next((body for body in reversed(bodies) if body.html), None)
    if plain is None or rich is None:
        return rich or plain
    said, shown = _words(plain), _words(rich)
    return plain if (shown - said).total() <= (1 - _SAME_WORDS) * shown.total() else rich


def _words(body: Body) -> Counter[str]:
    text = _URL.sub(" ", body.document.text.casefold())
    return Counter(match.group() for match in _WORDS.finditer(text))
