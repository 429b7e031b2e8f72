"""Whatever happens to the index and its folder: every stored citation is its version's own text, to the character."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from chatapp.conversations.models import Citation
from chatapp.conversations.services import ensure_default_assistant
from chatapp.language_models.services import sync_environment_model
from knowledge import wiring
from knowledge.documents import services
from knowledge.documents.indexes.indexing import generation_for
from knowledge.documents.indexes.reconcile import rebuild
from knowledge.documents.ingest import run_ingest
from knowledge.documents.models import DocumentVersion, IndexGeneration, KnowledgeBase
from knowledge.documents.selectors import version_text
from knowledge.tenants.access import system_actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]

# Characters of one, two, three and four bytes, and one that is two of them: only code points count them alike.
HANDBOOK = (
    "# Büro-Handbuch 📘\n\nDas Büro öffnet um 8 Uhr – außer an Feiertagen.\n\n"
    + "\n\n".join(f"## Raum {n}\n\nRaum {n} hat {n} Plätze 🪑 und ein Fenster nach 東京. Cafe\u0301 ist nahe." for n in range(2, 30))
)  # fmt: skip
QUESTIONS = (
    "When must visitors register?", "How many days of annual leave does every employee have?",
    "Wann öffnet das Büro?", "Wie viele Plätze hat Raum 17?", "Where may guests park?",
)  # fmt: skip


def add(base: KnowledgeBase, name: str, text: str) -> None:
    """Upload a document, or a new version of it, and ingest it as a worker would."""
    upload = ContentFile(text.encode(), name=name)
    document = services.upload_document(actor=system_actor(base.tenant), base=base, upload=upload, filename=name)
    run_ingest(job_id=document.jobs.latest("created").pk)
    document.refresh_from_db()
    assert document.status == "ready", document.error


@pytest.fixture
def world(library: Any, settings: Any) -> Iterator[Any]:
    """The library with the extractive model, over parts that the test may change."""
    add(library.base, "handbuch.md", HANDBOOK)
    settings.LLM_MODEL = ""
    model = sync_environment_model(tenant=library.tenant)
    ensure_default_assistant(tenant=library.tenant, knowledge_bases=[library.base], language_model=model)
    yield library
    wiring.reset()


@pytest.fixture
def move(settings: Any, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Call to move the store and the files to another folder; they return at the end."""
    home, other = Path(settings.DATA_DIR), tmp_path / "moved"

    def to(source: Path, target: Path) -> None:
        target.mkdir(exist_ok=True)
        for name in ("lance", "files"):
            (source / name).rename(target / name)
        settings.DATA_DIR, settings.MEDIA_ROOT = target, target / "files"
        wiring.reset()

    yield lambda: to(home, other)
    if (other / "lance").exists():
        to(other, home)


def checked() -> int:
    """Return how many citations there are; each must reproduce its quote, and each passage its words."""
    rows = list(Citation.objects.select_related("passage__snapshot"))
    for row in rows:
        passage = row.passage
        version = DocumentVersion.objects.get(document_id=passage.document_ref, number=passage.version)
        text = version_text(version)
        assert text[row.start : row.end] == row.quote
        assert text[passage.start : passage.end] == passage.text
    return len(rows)


def switch(base: KnowledgeBase) -> str:
    """Build a generation from the chunker and embedder of now, make it live, and fill it from stored text."""
    KnowledgeBase.objects.filter(pk=base.pk).update(live_generation=None)
    base.refresh_from_db()
    generation_for(base)
    base.refresh_from_db()
    documents, passages = rebuild(base=base)
    assert documents == 3
    assert passages > 3
    live = base.live_generation
    assert live is not None
    return f"{live.chunker} {live.embedding_model}"


async def test_every_citation_reproduces_its_quote(
    world: Any, settings: Any, scripted_model: Any, owner: Any, open_chat: Any, rows: Any, move: Any
) -> None:
    settings.SOCKET_MESSAGES_PER_SECOND = 1000  # a test may ask faster than people do
    chat = await open_chat(owner)

    async def ask(stage: str) -> int:
        """Ask everything again in this stage of the world; return how many citations are exact by then."""
        for number, question in enumerate(QUESTIONS):
            events = await chat.ask(question, client_id=f"{stage}-{number}")
            assert events[-1]["type"] == "answer.done", events[-1]
        return int(await rows(checked))

    counts = [await ask("first")]
    assert counts[0] >= len(QUESTIONS)

    settings.CHUNKER = "fixed"
    assert "fixed" in await rows(switch, world.base)
    counts += [await rows(checked), await ask("chunked anew")]

    settings.EMBEDDING_MODEL, settings.EMBEDDING_API_BASE = "hosted_vllm/scripted-embed", scripted_model.url
    await rows(wiring.reset)
    assert "scripted-embed" in await rows(switch, world.base)
    counts += [await rows(checked), await ask("embedded anew")]

    replaced = "# Visitor rules\n\nNothing is as it was.\n\nVisitors register online before 9:00 and wear no badge.\n"
    await rows(add, world.base, "visitors.md", replaced)
    counts += [await rows(checked), await ask("replaced")]

    await rows(move)
    counts += [await rows(checked), await ask("moved")]
    assert await rows(lambda: rebuild(base=KnowledgeBase.objects.get(pk=world.base.pk))) > (3, 3)
    counts += [await rows(checked), await ask("rebuilt")]

    assert counts == sorted(counts)
    assert counts[-1] >= 6 * len(QUESTIONS)
    assert await rows(IndexGeneration.objects.count) == 3
