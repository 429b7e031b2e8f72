"""Warnings that several slides share, as one sentence each."""

from __future__ import annotations

_NAMED = 10


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
