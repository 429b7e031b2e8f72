"""An answer that was stored without asking a model, and a document without files, for tests of what becomes of both."""

from __future__ import annotations

import uuid
from typing import Any

from chatapp.answering import LabelledPassage
from chatapp.answering.sentinels import sentinel
from chatapp.conversations import services
from chatapp.conversations.models import AnswerRun
from chatapp.conversations.services import Ask, Outcome
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.types import Passage

QUOTES = {
    "visitors": "Visitors register at the front desk before 18:00 and wear a badge.",
    "leave": "Every employee has 27 days of annual leave, requested in the staff portal.",
}


def stored_source(base: KnowledgeBase, name: str) -> Document:
    """Return a searchable document, without files."""
    document = Document.objects.create(
        tenant_id=base.tenant_id, knowledge_base=base, name=name, title=f"About {name}", status="ready",
        latest_number=1,
    )  # fmt: skip
    document.current_version = DocumentVersion.objects.create(
        document=document, number=1, state="live", filename=name, size=1, sha256="0" * 64, text_sha256="0" * 64
    )
    document.save()
    return document


def stored_answer(
    actor: Any, *documents: Document, text: str = "When?", conversation: str | None = None
) -> AnswerRun:  # fmt: skip
    """Return an answer that cites what each document says in one sentence, and ends with one of its own."""
    run = services.start_run(actor=actor, ask=Ask(text=text, conversation=conversation)).run
    passages = [_labelled(number, document) for number, document in enumerate(documents, start=1)]
    services.store_passages(run=run, query=text, labelled=passages)
    services.store_outcome(run=run, outcome=_outcome(run, passages), events=_events(run, passages))
    return AnswerRun.objects.get(pk=run.pk)


def _labelled(number: int, document: Document) -> LabelledPassage:
    text = QUOTES[document.name]
    version = document.current_version
    return LabelledPassage(f"S{number}", Passage(
        key=str(uuid.uuid4()), document=str(document.pk), version_id=str(version.pk if version else uuid.uuid4()),
        version=1, knowledge_base=str(document.knowledge_base_id), title=document.title, heading_path=(document.title,),
        page_first=None, page_last=None, start=0, end=len(text), text=text, tokens=9, score=0.5,
    ))  # type: ignore[arg-type]  # fmt: skip


def _outcome(run: AnswerRun, passages: list[LabelledPassage]) -> Outcome:
    text, sentences, citations = "", list[dict[str, Any]](), list[dict[str, Any]]()
    for number, item in enumerate(passages, start=1):
        start = len(text)
        text += f"{item.passage.text[:-1]}{sentinel(number)}."
        sentences.append({
            "index": number - 1, "start": start, "end": len(text), "verdict": "supported", "score": 0.9,
            "reasons": [f"as in {item.passage.title}"], "citations": [number],
        })  # fmt: skip
        text += "\n\n"
        quote = item.passage.text[:20]
        citations.append({
            "label": item.label, "number": number, "sentence": number - 1, "start": 0, "end": 20, "quote": quote,
            "page": None, "score": 0.9, "version_id": item.passage.version_id,
        })  # fmt: skip
    own = "Ask again for more."
    sentences.append({
        "index": len(passages), "start": len(text), "end": len(text) + len(own), "verdict": "exempt", "score": None,
        "reasons": [], "citations": [],
    })  # fmt: skip
    text += own
    return Outcome(
        status="done", text=text, raw_output=text.replace("\ue000", "[S").replace("\ue001", "]"), sentences=sentences,
        citations=citations, prompt=[{"role": "user", "content": "\n".join(p.passage.text for p in passages)}],
        prompt_version="t1",
    )  # fmt: skip


def _events(run: AnswerRun, passages: list[LabelledPassage]) -> list[dict[str, Any]]:
    text = _outcome(run, passages).text
    shown = [{"key": p.passage.key, "label": p.label, "title": p.passage.title} for p in passages]
    made: list[dict[str, Any]] = [
        {"type": "run.started"},
        {"type": "retrieval.done", "query": "q", "passages": shown},
        {"type": "answer.delta", "text": text[:30]},
        {"type": "answer.delta", "text": text[30:]},
        *({"type": "sentence.checked", "index": at, "verdict": "supported", "reasons": [f"as in {p.passage.title}"]}
          for at, p in enumerate(passages)),
        {"type": "answer.done", "message": str(run.answer_id)},
    ]  # fmt: skip
    return [{"v": 1, "run": str(run.pk), "seq": seq, **event} for seq, event in enumerate(made, start=1)]
