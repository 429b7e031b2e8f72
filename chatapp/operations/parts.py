"""What the product consists of, and whether each part works. One list for /readyz, /metrics and ``doctor``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from chatapp.operations.product import TRAINING
from chatapp.operations.queues import look

logger = logging.getLogger(__name__)

WORKER_ALIVE = "footnote:worker:alive"
WORKER_LAST_TASK = "footnote:worker:last-task"
CACHE_SECONDS = 1.0
SILENT_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part's state; ``detail`` is a sentence for people, empty when all is said by ``ok``."""

    name: str
    ok: bool
    version: str = ""
    detail: str = ""


def database() -> Part:
    with connection.cursor() as cursor:
        statement = "SELECT sqlite_version()" if connection.vendor == "sqlite" else "SELECT version()"
        cursor.execute(statement)
        version = str(cursor.fetchone()[0])
    name = "SQLite" if connection.vendor == "sqlite" else ""  # the other says it: "PostgreSQL 17.1 on x86_64 ..."
    return Part(name="database", ok=True, version=f"{name} {version.partition(' on ')[0]}".strip()[:60])


_migrations_done = False


def pending_migrations() -> list[str]:
    """Return the migrations that the database lacks. Once there are none, later calls cost nothing."""
    global _migrations_done
    if _migrations_done:
        return []
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    _migrations_done = not plan
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def migrations() -> Part:
    pending = pending_migrations()
    detail = f"{len(pending)} migrations are pending; run `manage.py migrate`." if pending else ""
    return Part(name="migrations", ok=not pending, detail=detail)


def quick_redis() -> Any:
    """Return a client that fails at once where the library's default would retry for seconds. Close it."""
    import redis as library
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return library.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )


def redis() -> Part:
    with quick_redis() as client:
        information = client.info()
    if information.get("loading"):
        return Part(name="redis", ok=False, detail="Redis is still loading its data.")
    policy = information.get("maxmemory_policy", "")
    detail = "" if policy == "noeviction" else f"Set maxmemory-policy to noeviction; it is {policy}."
    return Part(name="redis", ok=True, version=str(information["redis_version"]), detail=detail)


def store() -> Part:
    from knowledge import wiring

    health = wiring.store().health()
    return Part(name="store", ok=health.ok, version=f"{health.name} {health.version}", detail=health.detail)


def embedder() -> Part:
    """Look at the model without loading it; a hosted one is not called."""
    from knowledge import wiring

    if settings.EMBEDDING_MODEL:
        return Part(name="embedder", ok=True, version=settings.EMBEDDING_MODEL)
    spec = wiring.embedder().spec
    return Part(name="embedder", ok=True, version=f"{spec.model} {spec.precision}")


def reranker() -> Part:
    """Name who judges the best passages once more; a model is neither loaded nor called."""
    from knowledge import wiring

    name = wiring.reranker_name()
    limit = f"A search waits {settings.RERANK_TIMEOUT:g} seconds for it at most."
    if name == "hosted":
        return Part(name="reranker", ok=True, version=f"hosted {settings.RERANK_MODEL}", detail=limit)
    if name == "cross_encoder":
        folder = Path(settings.RERANK_MODEL_DIR).name  # its whole path is nobody's business: /readyz is public
        return Part(name="reranker", ok=True, version=f"cross-encoder {folder}", detail=limit)
    return Part(name="reranker", ok=True, version=name)


def reading() -> Part:
    """Say what can be read; text recognition is an extra and its absence no fault."""
    from knowledge.parsing import media_types
    from knowledge.parsing.ocr import available

    if settings.OCR == "off":
        detail = "Text recognition of scans is switched off."
    elif available():
        detail = f"Scans are read by RapidOCR {metadata.version('rapidocr')}."
    else:
        detail = "Scans are not read: text recognition is not installed (make run OCR=1)."
    return Part(name="reading", ok=True, version=f"{len(media_types())} formats", detail=detail)


def models() -> Part:
    """Count the model servers that should run. One that failed is no fault of the product: other models answer, and
    assistants have their fallbacks. Which it is stands on its page: /readyz is public."""
    from chatapp.finetuning.models import ModelServer
    from chatapp.finetuning.serving.extra import can_serve
    from chatapp.finetuning.training import extra

    states = list(ModelServer.objects.filter(wanted=True).values_list("state", flat=True))
    ready, failed = (states.count(state) for state in (ModelServer.State.READY, ModelServer.State.FAILED))
    if failed:
        detail = f"{failed} of {len(states)} model servers failed: their page (/models/servers/) says why."
    elif not can_serve():
        words = "not served" if extra.installed() else "neither trained nor served"
        detail = f"Models are {words} here: the extra is not installed (make run TRAIN=1)."
    else:
        detail = "" if ready == len(states) else f"Starting: {len(states) - ready} of {len(states)} model servers."
    return Part(name="models", ok=True, version=f"{ready} served here", detail=detail)


def training() -> Part:
    """Say what runs wait for that no trainer takes. It is no fault of the product: answers need no training. Which runs
    those are stands on their pages: /readyz is public."""
    from chatapp.finetuning.training.waiting import waiting

    found = waiting()
    detail = ""
    if found.refused:
        detail = f"{_runs(found.refused)}, since the worker lacks the extra. Run `make run TRAIN=1` on its machine."
    elif found.left:
        with quick_redis() as client:
            heard = any(queue.name == TRAINING and queue.consumed for queue in look(client))
        detail = f"{_runs(found.left)} {DEAF_TRAINER if heard else NO_TRAINER}"
    version = f"{found.running} running, {found.queued} waiting"
    return Part(name="training", ok=True, version=version, detail=detail)


NO_TRAINER = "and no trainer is there. Start one: `make run TRAIN=1`, or `manage.py serve --only trainer` elsewhere."
DEAF_TRAINER = "although a trainer is there. Start it again, and see whether beat runs."


def _runs(count: int) -> str:
    return "A training run waits" if count == 1 else f"{count:,} training runs wait"


def worker() -> Part:
    """Read the signs of life that ``tasks`` writes."""
    with quick_redis() as client:
        alive, last_task = client.mget(WORKER_ALIVE, WORKER_LAST_TASK)
    if alive is None:
        return Part(name="worker", ok=False, detail="No worker has shown a sign of life in the last 20 seconds.")
    silent = time.time() - float(last_task) if last_task is not None else 0.0
    detail = f"The last task ended {silent:.0f} seconds ago." if silent > SILENT_SECONDS else ""
    return Part(name="worker", ok=True, detail=detail)


def queues() -> Part:
    """Read the signs of life that workers write for the queues they take from, and the age of the canaries."""
    with quick_redis() as client:
        found = look(client)
    trouble = [queue.trouble for queue in found if queue.trouble]
    ages = [queue.canary for queue in found if queue.canary is not None]
    version = f"{len(found)}, canary {max(ages):.0f} s ago" if ages else str(len(found))
    return Part(name="queues", ok=not trouble, version=version, detail=" ".join(trouble))


CHECKS: tuple[Callable[[], Part], ...] = (
    database, migrations, redis, store, embedder, reranker, reading, models, training, worker, queues,
)  # fmt: skip

_lock = threading.Lock()
_seen: tuple[float, list[Part]] = (0.0, [])


def examine() -> list[Part]:
    """Look at every part now. A part that raises is not ok, and says so in words."""
    found = []
    for check in CHECKS:
        try:
            found.append(check())
        except Exception as error:  # boundary: any driver's error means that the part is away
            logger.warning("Part %s does not work: %s", check.__name__, type(error).__name__)
            words = str(getattr(error, "message", "")) or f"It does not answer ({type(error).__name__})."
            found.append(Part(name=check.__name__, ok=False, detail=words))
    return found


def wait_until_ready(*, seconds: float) -> bool:
    """Wait until every part works, but no longer than ``seconds``; return whether that was so."""
    deadline = time.monotonic() + seconds
    while not all(part.ok for part in examine_cached()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def examine_cached() -> list[Part]:
    """Look at every part, at most once a second however many ask."""
    global _seen
    with _lock:
        if time.monotonic() - _seen[0] > CACHE_SECONDS:
            _seen = (time.monotonic(), examine())
        return _seen[1]
