"""What the readers of office files share: clean lines, comments in words, warnings that name their slides."""

from __future__ import annotations

from typing import Final

OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # an Office file with a password, or an old binary one
HIDDEN_TEXT: Final = "Hidden text was left out."
HIDDEN_SLIDE: Final = "The text includes what is hidden in the show: {slides}."
_NAMED: Final = 10


def tidy(text: str) -> str:
    """Line ends as LF, tabs as spaces, no empty lines, no space around a line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "\n".join(filter(None, (line.strip() for line in text.split("\n"))))


def said(author: str | None, text: str, *, reply: bool = False) -> str:
    """A comment with its author, if known: "Comment by Ann: ..."."""
    name = " ".join((author or "").split())
    kind = "Reply" if reply else "Comment"
    return f"{kind} by {name}: {text}" if name else f"{kind}: {text}"


class Notices:
    """Collects what people should know about the reading of a presentation."""

    def __init__(self) -> None:
        self._slides: dict[str, list[int]] = {}

    def add(self, sentence: str, slide: int) -> None:
        """Note a sentence with "{slides}" where the slides are named."""
        known = self._slides.setdefault(sentence, [])
        if not known or known[-1] != slide:
            known.append(slide)

    def sentences(self) -> tuple[str, ...]:
        return tuple(sentence.format(slides=_named(slides)) for sentence, slides in self._slides.items())


def _named(slides: list[int]) -> str:
    """ "slide 3", "slides 3 and 5" or "slides 1, 2, 3 and 40 others"."""
    shown = [str(slide) for slide in slides[:_NAMED]]
    more = len(slides) - len(shown)
    if more:
        shown.append(f"{more} other" + ("s" if more > 1 else ""))
    if len(shown) == 1:
        return f"slide {shown[0]}"
    return f"slides {', '.join(shown[:-1])} and {shown[-1]}"
