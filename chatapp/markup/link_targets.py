"""Where a Markdown link leads: beside its words, or by a name the document defines elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_ADDRESS = 2_000
DEEPEST = 32  # parentheses in an address, as the common parsers read them

_ADDRESS = r"<(?P<angled>(?:[^<>\n\\]|\\.)*)>|(?P<bare>[^\s<][^\s]*)"
_TITLE = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\)"
_DEFINITION = re.compile(
    rf"^ {{0,3}}\[(?!\^)(?P<name>(?:[^\[\]\\]|\\.){{1,999}})\]:[ \t]*\n?[ \t]*(?:{_ADDRESS})"
    rf"(?:[ \t]+(?:{_TITLE}))?[ \t]*$",
    re.MULTILINE,
)
_ANGLED = re.compile(r"<((?:[^<>\n\\]|\\.)*)>")
_SPACE = re.compile(r"[ \t]*\n?[ \t]*")
_TITLE_AND_END = re.compile(rf"(?:[ \t]*\n[ \t]*|[ \t]+)(?:{_TITLE})[ \t]*\n?[ \t]*\)")
_NAME = re.compile(r"\[((?:[^\[\]\\]|\\.){0,999})\]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_SAFE = re.compile(r"(?:https?://|mailto:)[^\s<>\x00-\x1f\x7f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    end: int  # behind the last character of its syntax
    address: str  # empty where no page may lead


def defined_links(text: str) -> dict[str, str]:
    """Return the addresses a document defines by name (``[name]: address``); the first of a name counts."""
    found: dict[str, str] = {}
    for match in _DEFINITION.finditer(text):
        address = match["angled"] if match["angled"] is not None else match["bare"]
        found.setdefault(_folded(match["name"]), safe_address(address))
    return found


def link_after(text: str, words: tuple[int, int], end: int, *, links: Mapping[str, str]) -> Link | None:
    """Return the link whose bracketed words are given, or None when no link follows them."""
    close = words[1] + 1
    if text[close : min(close + 1, end)] == "(":
        link = _beside(text, close + 1, end)
        if link is not None:
            return link
    name, after = text[words[0] : words[1]], close
    named = _NAME.match(text, close, end)
    if named:
        name, after = named.group(1) or name, named.end()
    address = links.get(_folded(name)) if len(name) < 1_000 else None
    return None if address is None else Link(after, address)


def safe_address(address: str) -> str:
    """Return the address if a page may lead there, else an empty text."""
    plain = html.unescape(_ESCAPED.sub(r"\1", address))
    return plain if len(plain) <= LONGEST_ADDRESS and _SAFE.fullmatch(plain) else ""


def _beside(text: str, position: int, end: int) -> Link | None:
    """Read ``address "title")`` from behind the opening parenthesis."""
    first = _after_space(text, position, end)
    angled = _ANGLED.match(text, first, end)
    if angled:
        address, last = angled.group(1), angled.end()
    else:
        last = _bare_end(text, first, end)
        address = text[first:last]
    close = _after_space(text, last, end)
    if text[close : min(close + 1, end)] == ")":
        return Link(close + 1, safe_address(address))
    titled = _TITLE_AND_END.match(text, last, end)
    return Link(titled.end(), safe_address(address)) if titled else None


def _after_space(text: str, position: int, end: int) -> int:
    match = _SPACE.match(text, position, end)
    return match.end() if match else position


def _bare_end(text: str, position: int, end: int) -> int:
    """Return where an address without ``<>`` ends: at a space, or at the parenthesis that is not its own.

    There is none if a parenthesis of its own stays open.
    """
    depth, at = 0, position
    if text[at : min(at + 1, end)] == "<":
        return at
    while at < end and depth <= DEEPEST and not text[at].isspace() and text[at].isprintable():
        if text[at] == "\\" and at + 1 < end and not text[at + 1].isspace():
            at += 1
        elif text[at] == "(":
            depth += 1
        elif text[at] == ")":
            if not depth:
                break
            depth -= 1
        at += 1
    return position if depth else at


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
