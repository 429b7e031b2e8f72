"""Which characters of a piece of Markdown source a person reads where only words are shown, as on a source card.

A piece may begin and end anywhere in its document: only what it shows itself tells a fence or a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from chatapp.markup.inline import Range, inline
from chatapp.markup.link_targets import defined_links

__all__ = ["cut", "dotted", "visible"]

_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}(?:[ \t]+|$)")
_HEADING_END = re.compile(r"[ \t]+#+[ \t]*$")
_UNDERLINE = re.compile(r"[ \t]{0,3}=+[ \t]*$")
_RULE = re.compile(r"[\s|:-]+$")
_BAR = re.compile(r"(?<!\\)\|")
_OWN_LINE = re.compile(r"[ \t]*(?:[-*+>]|\d{1,9}[.)])[ \t]")


def _is_row(line: str) -> bool:
    """Tell whether a line is a row of a table that is drawn with bars on its sides."""
    words = line.strip()
    return len(words) > 1 and words[0] == words[-1] == "|"


def _is_rule(line: str) -> bool:
    """Tell whether a line only draws the rule below the head of a table."""
    return "|" in line and "-" in line and _RULE.match(line) is not None


def visible(text: str, *, bars: bool = True) -> list[Range]:
    """Return the ranges of a text without its marks of headings, emphasis, code and links.

    With ``bars`` tables stay as they are drawn; else the rule below the head and the bars on both sides go too.
    """
    links = defined_links(text)
    found: list[Range] = []
    for start, end, is_words in _parts(text, bars):
        if not is_words:
            found.append((start, end))
            continue
        kept = [(span.start, span.end) for span in inline(text, start, end, links=links)]
        found += _with_escaped_bars(text, kept) if bars and _is_row(text[start:end]) else kept
    return _joined(found)


def dotted(text: str) -> str:
    """Return a text, as long as it was, with a dot for each bar between two cells of a table."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if _is_row(line) and not _is_rule(line):
            first, last = _inside(line, 0)
            lines[at] = line[:first] + _BAR.sub("·", line[first:last]) + line[last:]
    return "\n".join(lines)


def _inside(line: str, offset: int) -> Range:
    """Return where the cells of a row begin and end."""
    words = line.strip()[1:-1]
    first = offset + line.index("|") + 1 + len(words) - len(words.lstrip())
    return first, first + len(words.strip())


def cut(text: str, ranges: Sequence[Range], start: int, end: int) -> str:
    """Return what is shown of a range of the text."""
    return "".join(text[max(low, start) : min(high, end)] for low, high in ranges if low < end and start < high)


def _parts(text: str, bars: bool) -> Iterator[tuple[int, int, bool]]:
    """Yield the ranges that are words with marks, and those that are shown as they are: code, line ends, rules."""
    fence, waiting = "", None  # the marks of an open fence; where the open paragraph begins
    for start, end in _lines(text):
        line = text[start:end]
        opens = _FENCE.match(line)
        flows = not (fence or opens or not line.strip() or _own_line(line))
        if waiting is not None and not flows:
            yield waiting, start - 1, True
            yield start - 1, start, False
            waiting = None
        if opens and (not fence or (line.strip().strip(fence[0]) == "" and len(opens[1]) >= len(fence))):
            fence = "" if fence else opens[1]
        elif flows:
            waiting = start if waiting is None else waiting
        else:
            yield from _line(text, start, end, bars=bars or bool(fence), is_code=bool(fence))
    if waiting is not None:
        yield waiting, len(text), True


def _own_line(line: str) -> bool:
    """Tell the lines that are no part of a paragraph that flows on: headings, list items, rows."""
    return bool(
        _HEADING.match(line) or _UNDERLINE.match(line) or _OWN_LINE.match(line) or _is_row(line) or _is_rule(line)
    )


def _line(text: str, start: int, end: int, *, bars: bool, is_code: bool) -> Iterator[tuple[int, int, bool]]:
    """Yield the words of a line that stands for itself, and its end."""
    line = text[start:end]
    first, last = start, end
    if not is_code and (heading := _HEADING.match(line)):
        first = start + heading.end()
        closing = _HEADING_END.search(text[first:end])
        last = first + closing.start() if closing else end
    elif not is_code and (_UNDERLINE.match(line) or (not bars and _is_rule(line))):
        return
    elif not bars and _is_row(line):
        first, last = _inside(line, start)
    if first < last:
        yield first, last, not (is_code or _is_rule(line))
    if end < len(text):
        yield end, end + 1, False


def _with_escaped_bars(text: str, ranges: Sequence[Range]) -> list[Range]:
    """Keep the sign that tells a bar in a cell from a border between two."""
    return [(start - 1 if text[start - 1 : start + 1] == "\\|" else start, end) for start, end in ranges]


def _lines(text: str) -> Iterator[Range]:
    start = 0
    for line in text.split("\n"):
        yield start, start + len(line)
        start += len(line) + 1


def _joined(ranges: Sequence[Range]) -> list[Range]:
    joined: list[Range] = []
    for start, end in ranges:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        elif start < end:
            joined.append((start, end))
    return joined
