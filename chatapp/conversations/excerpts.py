"""The words of a source as its card shows them, already cut: browsers count in other units than we do.

Of Markdown the marks are left out; quotes and offsets of the API stay those of the source.
"""

from __future__ import annotations

from chatapp.markup.visible import cut, visible

__all__ = ["EXCERPT", "NO_WORDS", "READ", "Excerpt", "cited_excerpt", "read_excerpt"]

EXCERPT = 220
"""Characters of the passage shown on each side of the cited words."""

READ = 320
"""Characters shown of a passage that is not cited."""

Excerpt = dict[str, str]
"""``before``, ``match`` and ``after``; ``above`` is all of the paragraph before ``match``, if it may be a table."""

NO_WORDS: Excerpt = {"before": "", "match": "", "after": "", "above": ""}


def cited_excerpt(text: str, place: tuple[int, int], *, quote: str, markdown: bool) -> Excerpt:
    """Return the words at a place of a passage with some around them; ``quote`` where nothing of the place is shown."""
    ranges = _shown(text, markdown)
    above = cut(text, ranges, 0, place[0]).rsplit("\n\n", 1)[-1].lstrip()
    below = cut(text, ranges, place[1], len(text)).split("\n\n", 1)[0].rstrip()
    return {
        "before": above if len(above) <= EXCERPT else "… " + above[-EXCERPT:].split(" ", 1)[-1],
        "match": cut(text, ranges, *place) or quote,
        "after": below if len(below) <= EXCERPT else below[:EXCERPT].rsplit(" ", 1)[0] + " …",
        "above": above if "|" in above else "",
    }


def read_excerpt(text: str, *, markdown: bool) -> Excerpt:
    """Return the beginning of a passage."""
    words = cut(text, _shown(text, markdown), 0, len(text))
    return {**NO_WORDS, "before": words if len(words) <= READ else words[:READ] + "…"}


def _shown(text: str, markdown: bool) -> list[tuple[int, int]]:
    return visible(text) if markdown else [(0, len(text))]
