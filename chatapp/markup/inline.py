"""Inline Markdown for display: which characters of a block are its marks, and how the others are drawn.

The text stays what it is and every span is a range of it, so a marked range that begins or ends inside a formatted
word is cut exactly. Emphasis follows the delimiter algorithm of the CommonMark specification, section 6.2 and its
appendix; raw HTML and entities are shown as they stand.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from chatapp.markup.link_targets import Link, link_after, safe_address

Range = tuple[int, int]

_SPECIAL = re.compile(r"[\\`*_~\[\]!<]")
_TICKS = re.compile(r"`+")
_RUN = re.compile(r"\*+|_+|~+")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\x00-\x20]*)>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->", re.DOTALL)
_KINDS = {1: "emphasis", 2: "strong"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    strong: bool = False
    emphasis: bool = False
    struck: bool = False
    code: bool = False
    href: str = ""

    @property
    def plain(self) -> bool:
        return self == PLAIN


PLAIN = Style()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A visible range of the text."""

    start: int
    end: int
    style: Style = PLAIN


@dataclass(slots=True)
class _Run:
    """Emphasis signs that may open or close; ``start`` and ``end`` shrink as they are used."""

    sign: str
    start: int
    end: int
    opens: bool
    closes: bool
    length: int


@dataclass(slots=True)
class _Bracket:
    start: int  # of the sign
    end: int  # where the link's words begin
    image: bool
    runs: int  # how many emphasis runs stood before it
    active: bool = True


def inline(text: str, start: int, end: int, *, links: Mapping[str, str]) -> list[Span]:
    """Return the visible spans of a range; ``links`` are the addresses that the document defines by name."""
    if not _SPECIAL.search(text, start, end):
        return [Span(start=start, end=end)] if start < end else []
    scanner = _Scanner(text, start, end, links)
    scanner.scan()
    return list(scanner.spans())


@dataclass(slots=True)
class _Scanner:
    text: str
    start: int
    end: int
    links: Mapping[str, str]
    hidden: list[Range] = field(default_factory=list)
    styled: list[tuple[int, int, str, str]] = field(default_factory=list)  # start, end, kind, address
    runs: list[_Run] = field(default_factory=list)
    brackets: list[_Bracket] = field(default_factory=list)
    ticks: dict[int, list[int]] | None = None  # where backtick runs of a length begin, last first

    def scan(self) -> None:
        position = self.start
        handlers = {
            "\\": self._escape,
            "`": self._code,
            "[": self._open,
            "!": self._open,
            "]": self._close,
            "<": self._angle,
        }
        while found := _SPECIAL.search(self.text, position, self.end):
            at = found.start()
            position = handlers.get(found.group(), self._emphasis_sign)(at)
        self._match(0)

    # --- each returns where to go on

    def _escape(self, at: int) -> int:
        following = self.text[at + 1 : min(at + 2, self.end)]
        if following and (following in string.punctuation or following == "\n"):
            self.hidden.append((at, at + 1))
            return at + 2
        return at + 1

    def _code(self, at: int) -> int:
        run = _TICKS.match(self.text, at, self.end)
        assert run is not None
        first, length = run.end(), run.end() - at
        close = self._closing_ticks(first, length)
        if close is None:
            return first
        inner = (first, close)
        words = self.text[first:close]
        if words[0] in " \n" and words[-1] in " \n" and words.strip(" \n"):
            inner = (first + 1, close - 1)
        self.hidden += [(at, inner[0]), (inner[1], close + length)]
        self.styled.append((*inner, "code", ""))
        return close + length

    def _closing_ticks(self, first: int, length: int) -> int | None:
        if self.ticks is None:
            self.ticks = {}
            for run in reversed(list(_TICKS.finditer(self.text, self.start, self.end))):
                self.ticks.setdefault(run.end() - run.start(), []).append(run.start())
        places = self.ticks.get(length, [])
        while places and places[-1] < first:
            places.pop()
        return places[-1] if places else None

    def _angle(self, at: int) -> int:
        address = _AUTOLINK.match(self.text, at, self.end)
        if address:
            self.hidden += [(at, at + 1), (address.end() - 1, address.end())]
            self.styled.append((at + 1, address.end() - 1, "link", safe_address(address.group(1))))
            return address.end()
        tag = _TAG.match(self.text, at, self.end)
        return tag.end() if tag else at + 1

    def _open(self, at: int) -> int:
        image = self.text[at] == "!"
        if image and self.text[at + 1 : min(at + 2, self.end)] != "[":
            return at + 1
        first = at + 2 if image else at + 1
        self.brackets.append(_Bracket(at, first, image, len(self.runs)))
        return first

    def _close(self, at: int) -> int:
        if not self.brackets:
            return at + 1
        bracket = self.brackets.pop()
        link = link_after(self.text, (bracket.end, at), self.end, links=self.links) if bracket.active else None
        if link is None:
            return at + 1
        self._link(bracket, at, link)
        return link.end

    def _link(self, bracket: _Bracket, at: int, link: Link) -> None:
        self._match(bracket.runs)
        self.hidden += [(bracket.start, bracket.end), (at, link.end)]
        if bracket.image:
            return
        self.styled.append((bracket.end, at, "link", link.address))
        for outer in self.brackets:  # a link holds no link
            outer.active = outer.active and outer.image

    def _emphasis_sign(self, at: int) -> int:
        run = _RUN.match(self.text, at, self.end)
        assert run is not None
        sign, last = self.text[at], run.end()
        if sign == "~" and last - at != 2:
            return last
        before = self.text[at - 1] if at > self.start else " "
        after = self.text[last] if last < self.end else " "
        left = not after.isspace() and (not _is_sign(after) or before.isspace() or _is_sign(before))
        right = not before.isspace() and (not _is_sign(before) or after.isspace() or _is_sign(after))
        opens, closes = left, right
        if sign == "_":
            opens, closes = left and (not right or _is_sign(before)), right and (not left or _is_sign(after))
        self.runs.append(_Run(sign, at, last, opens, closes, last - at))
        return last

    def _match(self, bottom: int) -> None:
        """Pair the runs from ``bottom`` on, innermost first, and forget them."""
        stack: list[_Run] = []
        floor: dict[tuple[str, bool, int], int] = {}  # below it no opener for such a closer can be
        for closer in self.runs[bottom:]:
            key = (closer.sign, closer.opens, closer.length % 3)
            while closer.closes and closer.start < closer.end:
                at = _opener_of(closer, stack, floor.get(key, 0))
                if at is None:
                    floor[key] = len(stack)
                    break
                self._pair(stack[at], closer)
                del stack[at + 1 :]
                if stack[at].start == stack[at].end:
                    stack.pop()
                floor = {name: min(low, len(stack)) for name, low in floor.items()}
            if closer.opens and closer.start < closer.end:
                stack.append(closer)
        del self.runs[bottom:]

    def _pair(self, opener: _Run, closer: _Run) -> None:
        count = 2 if opener.end - opener.start >= 2 and closer.end - closer.start >= 2 else 1
        kind = "struck" if closer.sign == "~" else _KINDS[count]
        self.styled.append((opener.end, closer.start, kind, ""))
        self.hidden += [(opener.end - count, opener.end), (closer.start, closer.start + count)]
        opener.end -= count
        closer.start += count

    # --- the result

    def spans(self) -> Iterator[Span]:
        """Cut the range where a sign or a style begins or ends, and leave out the signs."""
        changes: dict[int, list[tuple[str, str, int]]] = {self.end: []}
        for start, end, kind, address in [*((*gap, "hidden", "") for gap in self.hidden), *self.styled]:
            if start == end:
                continue
            changes.setdefault(start, []).append((kind, address, 1))
            changes.setdefault(end, []).append((kind, address, -1))
        open_now: dict[str, int] = {}
        address, position, last = "", self.start, None
        for at in sorted(changes):
            if position < at and not open_now.get("hidden"):
                span = Span(start=position, end=at, style=_style(open_now, address))
                if last is not None and (last.end, last.style) == (span.start, span.style):
                    last = replace(last, end=span.end)
                else:
                    if last is not None:
                        yield last
                    last = span
            for kind, target, step in sorted(changes[at], key=lambda change: change[2]):
                open_now[kind] = open_now.get(kind, 0) + step
                if kind == "link":
                    address = target if step > 0 else ""
            position = at
        if last is not None:
            yield last


def _opener_of(closer: _Run, stack: list[_Run], floor: int) -> int | None:
    for at in range(len(stack) - 1, floor - 1, -1):
        opener = stack[at]
        if opener.sign != closer.sign:
            continue
        thirds = (opener.length + closer.length) % 3 == 0 and (opener.length % 3 or closer.length % 3)
        if not ((opener.closes or closer.opens) and thirds):
            return at
    return None


def _style(open_now: Mapping[str, int], address: str) -> Style:
    return Style(
        strong=bool(open_now.get("strong")),
        emphasis=bool(open_now.get("emphasis")),
        struck=bool(open_now.get("struck")),
        code=bool(open_now.get("code")),
        href=address,
    )


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
