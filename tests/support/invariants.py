"""What must hold after every crash: facts of rows, files, index and processes, no timing.

Run beside the product, with the settings of its own processes: ``python invariants.py`` reads what was acknowledged as
JSON from its input, and writes the violations by invariant. The numbers are those of the fault matrix.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

NAMES = {
    "I1": "every acknowledged upload is there with the same bytes",
    "I2": "a ready document has one live version, whose passages are those of the index",
    "I3": "nothing is worked on without a lease, nothing waits any more",
    "I5": "nothing is left of a deleted document in rows, files and index",
    "I9": "no temporary file, no dead process, no folder of one",
}


def uploads_are_there(acknowledged: dict[str, str]) -> list[str]:
    """I1. ``acknowledged``: SHA-256 of the last bytes by document."""
    from knowledge.documents import files
    from knowledge.documents.models import DocumentVersion

    found = []
    for document, sha256 in acknowledged.items():
        same = DocumentVersion.objects.filter(document=document, sha256=sha256).select_related("document")
        if same.count() != 1:
            found.append(f"{document} has {same.count()} versions of its bytes")
        elif hashlib.sha256(files.read(same.get(), files.ORIGINAL)).hexdigest() != sha256:
            found.append(f"{document} has other bytes")
    return found


def ready_is_whole() -> list[str]:
    """I2."""
    from knowledge import wiring
    from knowledge.documents.models import Chunk, Document
    from knowledge.types import Scope

    found = []
    for row in Document.objects.filter(status="ready").select_related("knowledge_base__live_generation"):
        live = list(row.versions.filter(state="live").values_list("pk", flat=True))
        if live != [row.current_version_id]:
            found.append(f"{row.pk} has {len(live)} live versions")
        generation = row.knowledge_base.live_generation
        assert generation is not None
        chunks = Chunk.objects.filter(version__document=row)
        ordinals = sorted(chunks.filter(version=row.current_version_id).values_list("ordinal", flat=True))
        if not ordinals or ordinals != list(range(len(ordinals))):
            found.append(f"{row.pk} has the passages {ordinals[:5]}...")
        scope = Scope(
            tenant=str(row.tenant_id),
            knowledge_bases=frozenset({str(row.knowledge_base_id)}),
            documents=frozenset({str(row.pk)}),
        )
        records = sorted(key for key, _, _ in wiring.store().keys(space=generation.space, scope=scope))
        if records != sorted(str(pk) for pk in chunks.values_list("pk", flat=True)):
            found.append(f"{row.pk} has {chunks.count()} passages and {len(records)} records")
    return found


def nothing_is_stuck() -> list[str]:
    """I3, when all had its time to end."""
    from knowledge.documents.models import Document, IngestionJob

    jobs = [f"{job} is {job.state}" for job in IngestionJob.objects.unfinished()]
    busy = Document.objects.exclude(status__in=["ready", "failed"])
    return jobs + [f"{row.pk} is {row.status}" for row in busy]


def deleted_is_gone(deleted: list[str]) -> list[str]:
    """I5."""
    from django.conf import settings

    from knowledge import wiring
    from knowledge.documents.models import Document, DocumentVersion, IndexGeneration
    from knowledge.types import Scope

    found = [f"{pk} has a row" for pk in Document.objects.filter(pk__in=deleted).values_list("pk", flat=True)]
    found += [f"{v.document_id} has a version" for v in DocumentVersion.objects.filter(document__in=deleted)]
    for pk in deleted:
        found += [f"{pk} has files: {path}" for path in Path(settings.MEDIA_ROOT).glob(f"*/{pk}")]
    for generation in IndexGeneration.objects.select_related("knowledge_base"):
        scope = Scope(
            tenant=str(generation.knowledge_base.tenant_id),
            knowledge_bases=frozenset({str(generation.knowledge_base_id)}),
            documents=frozenset(deleted),
        )
        left = wiring.store().count(space=generation.space, scope=scope) if deleted else 0
        found += [f"{left} records are left"] if left else []
    return found


def nothing_lies_about(pids: list[int]) -> list[str]:
    """I9. ``pids``: every process that the product ever had."""
    from django.conf import settings

    found = [f"temporary file {path.name}" for path in Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir()]
    for pid in pids:
        if psutil.pid_exists(pid) and psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            found.append(f"process {pid} is a zombie")
    gone = {str(pid) for pid in pids if not psutil.pid_exists(pid)}
    for folder in Path(tempfile.gettempdir()).glob("footnote-parser-*-*"):
        if folder.name.split("-")[2] in gone:
            found.append(f"the folder of a dead parser: {folder.name}")
    return found


def violations(given: dict[str, Any]) -> dict[str, list[str]]:
    """Check all of it; ``given`` holds ``uploads``, ``deleted`` and ``pids``."""
    return {
        "I1": uploads_are_there(given["uploads"]),
        "I2": ready_is_whole(),
        "I3": nothing_is_stuck(),
        "I5": deleted_is_gone(given["deleted"]),
        "I9": nothing_lies_about(given["pids"]),
    }


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(violations(json.load(sys.stdin))))

    from knowledge import wiring

    wiring.reset()
