"""Passages and parsers for the tests of answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from knowledge.types import Passage


@pytest.fixture(scope="session")
def make_passage() -> Callable[..., Passage]:
    def make(text: str, *, start: int = 0, title: str = "Handbook", **changes: object) -> Passage:
        values: dict[str, object] = {
            "key": f"key-{start}",
            "document": "document-1",
            "version_id": "version-1",
            "version": 1,
            "knowledge_base": "base-1",
            "title": title,
            "heading_path": (),
            "page_first": None,
            "page_last": None,
            "start": start,
            "end": start + len(text),
            "text": text,
            "tokens": len(text) // 4,
            "score": 0.5,
        }
        return Passage(**(values | changes))  # type: ignore[arg-type]

    return make
