"""Compare texts by their letters: fold what typography changes, and map back to exact offsets."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from chatapp.answering.sentinels import strip_sentinels

__all__ = ["Folded", "fold", "plain"]

_SAME = {
    **dict.fromkeys("‘’‚‛′´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
    "…": "...",
}
_NOTE_MARK = re.compile(r"\[\d{1,3}\]")  # the reference marks of an encyclopedia are not part of a sentence
_MARKUP = re.compile(r"\\([!-/:-@\[-`{-~])|\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|`")
_PREFIX = re.compile(r"\s*(?:(?:[-*+•>]|#{1,6}|\d{1,3}[.)])\s+)*\|?")


MOST_PLACES = 500
"""Places inside other words that are passed over; there are as many in no text that people wrote."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text; character ``i`` of it stands at ``offsets[i]`` of the original."""

    text: str
    offsets: tuple[int, ...]

    def find(self, folded: str) -> tuple[int, int] | None:
        """Return the range of the original that holds ``folded`` as whole words."""
        at, tries = self.text.find(folded) if folded else -1, 0
        while at >= 0 and (tries := tries + 1) <= MOST_PLACES:
            end = at + len(folded)
            if not (_joins(self.text, at) or _joins(self.text, end)):
                return self.offsets[at], self.offsets[end - 1] + 1
            at = self.text.find(folded, at + 1)
        return None


def _joins(text: str, at: int) -> bool:
    """Tell whether a cut at ``at`` would go through a word of an alphabet with spaces."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return before.isalnum() and after.isalnum() and before < "\u2e80" and after < "\u2e80"


@lru_cache(maxsize=256)
def fold(text: str) -> Folded:
    """Fold quotes, dashes, ligatures, soft hyphens, emphasis and white space; keep letter case."""
    letters: list[str] = []
    offsets: list[int] = []
    skip = {at for match in _NOTE_MARK.finditer(text) for at in range(*match.span())}
    for at, c in enumerate(text):
        if at in skip:
            continue
        if not c.isascii():
            c = _fold_character(c)
        elif c in "*`" or (c == "_" and _is_emphasis(text, at)):
            continue
        elif c <= " ":
            c = " "
        if c == " " and (not letters or letters[-1] == " "):
            continue
        letters += c
        offsets += [at] * len(c)
    return Folded("".join(letters), tuple(offsets))


def _is_emphasis(text: str, at: int) -> bool:
    """Tell the underscores around a word from those inside ``a_name``."""
    return not (text[at - 1 : at].isalnum() and text[at + 1 : at + 2].isalnum())


@lru_cache(maxsize=4096)
def _fold_character(c: str) -> str:
    same = _SAME.get(c)
    if same is not None:
        return same
    folded = unicodedata.normalize("NFKC", c)
    return " " if folded.isspace() else folded


def plain(sentence: str) -> str:
    """Return an answer's sentence without citations, Markdown marks and list bullets."""
    text = strip_sentinels(sentence, "").strip()
    text = _PREFIX.sub("", text, count=1)
    text = _MARKUP.sub(lambda match: match.group(1) or "", text)
    return text.strip(" \n\t|")
