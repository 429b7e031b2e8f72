"""What sources keep of a deleted document."""

from __future__ import annotations

from knowledge.documents.deletions.places import Found, Place, Rule, Subject, register
from knowledge.syncing import run_log
from knowledge.syncing.kinds import work_folder
from knowledge.syncing.models import Source, SourceItem

__all__ = ["register_all"]


def register_all() -> None:
    """Name the places of this package."""
    register(Place(key="source_items", name="Items of sources that it came from", rule=Rule.WORDLESS, count=_items))
    register(
        Place(key="run_log", name="Its path in the logs of sources", rule=Rule.KEPT, count=run_log.count,
              remove=run_log.blank)
    )  # fmt: skip
    register(Place(key="source_copies", name="Private copies of sources", rule=Rule.FADES, count=_copies))


def _items(subject: Subject) -> Found:
    count = SourceItem.objects.filter(source__tenant_id=subject.tenant, document_ref=subject.document).count()
    note = "Its path or address, and the hash of its bytes: so it is not stored again before it changes there."
    return Found(count=count, note=note if count else "")


def _copies(subject: Subject) -> Found:
    """Count the files in the folders of all sources of its knowledge base: which text lies in which, only they know."""
    sources = Source.objects.filter(knowledge_base__pk=subject.knowledge_base).values_list("pk", flat=True)
    files = sum(path.is_file() for pk in sources for path in work_folder(pk).rglob("*"))
    note = (
        "On the machine that runs the workers. Clones hold what a source offers now, not what was stored here: the "
        "next run drops what is gone there, and deleting the source drops all."
    )
    return Found(count=files, note=note if files else "")
