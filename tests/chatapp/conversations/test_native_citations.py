"""A provider's own citations from its wire to the stored rows: real documents, store and Redis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chatapp.conversations.models import AnswerRun, Citation
from chatapp.conversations.services import ensure_default_assistant
from chatapp.language_models.models import LanguageModel
from knowledge.documents import selectors
from knowledge.llm.native import forget_refusals
from tests.support.citing_model import CitingModel, anthropic, anthropic_block, char_location

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

QUESTION = "When must visitors register at the desk?"
WORDS = "Visitors register at the front desk before 18:00 and wear a badge on all floors."


@pytest.fixture
def server() -> Iterator[CitingModel]:
    forget_refusals()
    with CitingModel() as model:
        yield model
    forget_refusals()


def use(library: Any, server: CitingModel, *, native: bool = True) -> None:
    model = LanguageModel.objects.create(
        tenant=library.tenant, slug="cites", name="Cites", model="anthropic/cites", api_base=server.url,
        source="environment", native_citations=native,
    )  # fmt: skip
    ensure_default_assistant(tenant=library.tenant, knowledge_bases=[library.base], language_model=model)


def cites_its_documents(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Answer in other words, and cite the document that has the source's; then one that has no such words."""
    documents = [block for block in body["messages"][-1]["content"] if block["type"] == "document"]
    index = next(at for at, block in enumerate(documents) if WORDS in block["source"]["data"])
    place = char_location(index, WORDS, documents[index]["source"]["data"].index(WORDS))
    return anthropic(
        anthropic_block("Guests sign in ahead of 18:00", citations=[place, char_location(index, "made up")]),
        anthropic_block("."),
    )


async def test_native_citation_is_stored_with_the_words_of_the_document(
    server: CitingModel, library: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    server.events = cites_its_documents
    await rows(lambda: use(library, server))
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION)
    assert events[-1]["type"] == "answer.done"
    assert [event["number"] for event in events if event["type"] == "answer.citation"] == [1]
    run = await rows(lambda: AnswerRun.objects.select_related("answer").get())
    assert run.answer.text == "Guests sign in ahead of 18:00\ue0001\ue001."
    assert run.raw_output == "Guests sign in ahead of 18:00."
    assert run.anomalies == {"native_quote": 1}
    citation = await rows(lambda: Citation.objects.select_related("passage").get())
    document = next(each for each in library.documents if each.title == citation.passage.title)
    text = await rows(lambda: selectors.version_text(document.current_version))
    assert text[citation.start : citation.end] == citation.quote
    assert WORDS in citation.quote or citation.quote in WORDS
    (sentence,) = run.sentences
    assert sentence["citations"] == [1]
    assert sentence["verdict"] in ("supported", "weak", "unsupported")


async def test_without_the_option_no_document_is_sent(
    server: CitingModel, library: Any, owner: Any, open_chat: Any, rows: Any
) -> None:
    server.events = anthropic(anthropic_block(WORDS[:-1], " [S1]."))
    await rows(lambda: use(library, server, native=False))
    chat = await open_chat(owner)
    events = await chat.ask(QUESTION)
    assert events[-1]["type"] == "answer.done"
    (content,) = server.requests[0]["messages"][-1]["content"]
    assert content["type"] == "text"
    assert WORDS in content["text"]
