from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from knowledge import llm
from knowledge.analysis import index_terms
from knowledge.reranking import RerankCandidate
from tests.support.scripted_reranker import ScriptedReranker

Make = Callable[..., RerankCandidate]


@pytest.fixture(scope="session")
def _scripted_reranker() -> Iterator[ScriptedReranker]:
    with ScriptedReranker() as model:
        yield model


@pytest.fixture
def scripted_reranker(_scripted_reranker: ScriptedReranker) -> ScriptedReranker:
    _scripted_reranker.reset()
    return _scripted_reranker


@pytest.fixture(scope="session")
def loaded_litellm() -> Iterator[None]:
    """LiteLLM, imported outside the time of a single test; its clients are closed after."""
    llm.warm_up()
    yield
    asyncio.run(llm.close_clients())


@pytest.fixture
def candidate() -> Make:
    """Call with a text, and what else matters of the passage."""

    def make(
        text: str, *, title: str = "", headings: tuple[str, ...] = (), fused: float = 0.5, **named: Any
    ) -> RerankCandidate:
        values: dict[str, Any] = {
            "key": text, "tenant": "tenant", "document": "document", "version_id": "version", "generation": "generation", "ordinal": 0,
            "terms": index_terms(title, headings, text), "keyword": fused, "cosine": fused, **named,
        }  # fmt: skip
        return RerankCandidate(title=title, heading_path=headings, text=text, fused=fused, **values)

    return make
