"""Passages for tests that need no store."""

from __future__ import annotations

from knowledge.types import Passage


def passage(text: str, *, start: int = 7, tokens: int | None = None) -> Passage:
    return Passage(
        key="p", document="d", version_id="v", version=1, knowledge_base="k", title="T", heading_path=(),
        page_first=None, page_last=None, start=start, end=start + len(text), text=text,
        tokens=len(text) // 4 + 1 if tokens is None else tokens, score=0.5,
    )  # fmt: skip
