"""The health page: who sees what, one line when all is well, and a sentence with the next step for each fault."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatapp.operations import parts
from knowledge import wiring
from knowledge.documents.indexes import alarms
from knowledge.documents.models import Document, IndexGeneration, IndexJob, IngestionJob, KnowledgeBase, Purge
from knowledge.errors import StoreUnavailable
from knowledge.tenants.models import Tenant
from knowledge.types import StoreFacts

pytestmark = pytest.mark.django_db

SPACE = "mini_8_a"


@pytest.fixture(autouse=True)
def well(monkeypatch: pytest.MonkeyPatch) -> list[parts.Part]:
    """Every part works and there is room; what a test changes in the list is seen."""
    found = [parts.Part(name="worker", ok=True), parts.Part(name="store", ok=True, version="lance 0.1")]
    monkeypatch.setattr(parts, "examine_cached", lambda: found)
    monkeypatch.setattr(alarms, "disk", list)
    return found


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the store says of each table."""
    told: dict[str, Any] = {"rows": 12, "dimension": 8, "bytes": 5_000, "files": 8, "versions": 1}

    class Store:
        def facts(self, *, space: str, tenant: str) -> StoreFacts:
            if "error" in told:
                raise told["error"]
            return StoreFacts(**told)

    monkeypatch.setattr(wiring, "store", Store)
    return told


@pytest.fixture
def base(tenant: Any, facts: dict[str, Any]) -> KnowledgeBase:
    return indexed(tenant)


def indexed(tenant: Tenant) -> KnowledgeBase:
    made = KnowledgeBase.objects.create(tenant=tenant, name="Rules", slug="rules")
    IndexGeneration.objects.create(
        knowledge_base=made, embedding_model="mini", dimension=8, model_hash="a", precision="exact", space=SPACE,
        chunker="structural", chunker_version="1",
    )  # fmt: skip
    return made


@pytest.fixture
def admin(make_user: Any, tenant: Any) -> Any:
    return make_user("admin@acme.test", tenant=tenant, role="admin")


@pytest.fixture
def operator(make_user: Any) -> Any:
    user = make_user("operator@footnote.test")
    user.is_staff = True
    user.save()
    return user


@pytest.fixture
def page(client: Client, admin: Any) -> Callable[..., str]:
    def get(user: Any = None) -> str:
        client.force_login(user or admin)
        reply = client.get("/health/")
        assert reply.status_code == 200
        return str(reply.content.decode())

    return get


def document(base: KnowledgeBase, **more: Any) -> Document:
    return Document.objects.create(
        tenant=base.tenant, knowledge_base=base, name=f"{uuid4()}.md", title="Rules", **more
    )  # fmt: skip


def job(base: KnowledgeBase, **more: Any) -> IngestionJob:
    late = timezone.now() - timedelta(minutes=20)
    return IngestionJob.objects.create(**{
        "kind": "ingest", "document_ref": uuid4(), "tenant": base.tenant, "not_before": late, **more
    })  # fmt: skip


# --- who


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("editor", 403), ("member", 403), ("reader", 403)]
)
def test_only_who_administers_sees_it(client: Client, make_user: Any, tenant: Any, role: str, status: int) -> None:
    client.force_login(make_user("x@acme.test", tenant=tenant, role=role))
    assert client.get("/health/").status_code == status
    linked = b'href="/health/"' in client.get("/search/").content
    assert linked == (status == 200)


def test_stranger_signs_in_first(client: Client) -> None:
    assert client.get("/health/").status_code == 302


def test_administrator_sees_nothing_of_another_tenant(
    base: KnowledgeBase, other_tenant: Any, page: Callable[..., str], operator: Any
) -> None:
    other = indexed(other_tenant)
    document(other, status="failed", error="A canary sang.")
    job(other, state="queued", last_error="Another canary.")
    own = page()
    assert "Acme" in own
    assert not any(word in own for word in ("canary", "Globex"))
    assert "Everything works." in own
    everything = page(operator)
    assert all(word in everything for word in ("A canary sang.", "Another canary.", "Globex", "Acme"))


# --- what


def test_all_is_well_in_one_line(base: KnowledgeBase, page: Callable[..., str]) -> None:
    document(base, status="ready")
    found = page()
    assert "Everything works." in found
    assert "attention" not in found
    assert "4.9 KB in 8 files" in found
    assert "1 ready" in found


def test_part_that_does_not_work_is_named(
    well: list[parts.Part], base: KnowledgeBase, page: Callable[..., str]
) -> None:
    well[0] = parts.Part(name="worker", ok=False, detail="No worker has shown a sign of life.")
    found = page()
    assert "1 thing needs attention" in found
    assert "worker does not work. No worker has shown a sign of life." in found
    assert "Everything works." not in found


def fail_documents(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    for _ in range(2):
        document(base, status="failed", error="The file is empty.", failed_for_good=True)


def wait_long(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    job(base, state="queued")


def die(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    job(base, state="running", lease_until=timezone.now() - timedelta(hours=1))


def wait_for_room(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    job(base, state="queued", not_before=timezone.now() + timedelta(seconds=9), last_error="The index disk is full.")


def purge_late(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    Purge.objects.create(tenant=base.tenant, space=SPACE)
    Purge.objects.update(requested=timezone.now() - timedelta(hours=2))


def differ(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    report = {
        "agrees": False,
        "differences": {"missing": 3, "folders": 1},
        "missing": 3,
        "orphans": 0,
        "folders": 1,
        "rows": 9,
        "records": 6,
        "places": {"Rules": 3},
    }
    now = timezone.now()
    IndexJob.objects.create(
        kind="reconcile", tenant=base.tenant, state="done", report=report, not_before=now, finished=now
    )


def fail_upkeep(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    for _ in range(3):
        now = timezone.now()
        IndexJob.objects.create(
            kind="upkeep", tenant=base.tenant, space=SPACE, state="failed", last_error="No cheese.", not_before=now,
            finished=now,
        )  # fmt: skip


def grow(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    facts.update(rows=5_000, unindexed={"terms_idx": 2_000}, versions=900)


def go_away(base: KnowledgeBase, facts: dict[str, Any]) -> None:
    facts["error"] = StoreUnavailable()


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (fail_documents, ["2 documents failed: The file is empty. Upload readable files"]),
        (wait_long, ["1 ingestion job should have been worked on 15 minutes ago", "manage.py doctor"]),
        (die, ["1 ingestion job should have been worked on"]),
        (wait_for_room, ["1 ingestion job", "will be tried again: The index disk is full."]),
        (purge_late, ["Deleted text has lain in old files since", "Look whether a worker runs"]),
        (
            differ,
            [
                "differ (3 missing passages, 1 folders too many)",
                "manage.py reconcile --tenant acme --repair",
                "3 in Rules",
            ],
        ),
        (fail_upkeep, ["failed 3 times running: No cheese.", "manage.py upkeep"]),
        (grow, ["2,000 of 5,000 passages are not in the index terms_idx", "900 old states"]),
        (go_away, ["It cannot be measured: Search is unavailable at the moment.", "manage.py doctor"]),
    ],
)
def test_each_fault_is_named_with_the_next_step(
    base: KnowledgeBase, facts: dict[str, Any], page: Callable[..., str], arrange: Callable[..., None], words: list[str]
) -> None:
    arrange(base, facts)
    found = page()
    assert [each for each in words if each not in found] == []
    assert "Everything works." not in found


def test_last_upkeep_is_told_with_its_figures(base: KnowledgeBase, page: Callable[..., str]) -> None:
    before, after = {"files": 736, "bytes": 956_845, "versions": 292}, {"files": 8, "bytes": 8_192, "versions": 1}
    IndexJob.objects.create(
        kind="upkeep", tenant=base.tenant, space=SPACE, state="done", not_before=timezone.now(), finished=timezone.now(),
        report={"before": before, "after": after, "seconds": 0.4},
    )  # fmt: skip
    found = page()
    assert "736 → 8 files" in found
    assert "292 → 1 states, in 0.4 s" in found
    assert "Everything works." in found


def test_queries_do_not_grow_with_documents_and_jobs(base: KnowledgeBase, page: Callable[..., str]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            page()
        return len(seen)

    queries()
    document(base, status="failed", error="Bad.")
    job(base, state="queued", last_error="Slow.")
    few = queries()
    for _ in range(10):
        document(base, status="failed", error="Bad.")
        job(base, state="queued", last_error="Slow.")
    assert queries() == few
