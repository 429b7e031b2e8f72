"""A dataset over a library of two documents, and an editor."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker is there to be told."""
    from knowledge.documents import tasks

    monkeypatch.setattr(tasks, "publish", lambda task, **_: True)


@pytest.fixture
def library(transactional_db: None, make_library: Callable[..., Any], tenant: Any) -> Any:
    """Two documents. Committed, for the heartbeat of their jobs looks from a thread of its own."""
    return make_library(tenant)


@pytest.fixture
def actor(owner: Any, tenant: Any) -> Any:
    from knowledge.tenants.access import actor_for

    return actor_for(user_id=owner.pk, tenant_id=tenant.pk)


@pytest.fixture
def dataset(actor: Any) -> Any:
    """Instructions: nothing needs an index."""
    from chatapp.finetuning.datasets import services

    return services.create_dataset(actor=actor, name="Forms", kind="instruction")


@pytest.fixture
def raft(library: Any, actor: Any) -> Any:
    """Answers over the passages of the library."""
    from chatapp.finetuning.datasets import services

    return services.create_dataset(
        actor=actor, name="House answers", kind="raft", knowledge_bases=[library.base.pk], purpose="Short answers."
    )


@pytest.fixture
def add_rows(actor: Any) -> Callable[..., list[Any]]:
    """Call with a dataset and pairs of prompt and completion; ``document`` names what they are made from."""
    from chatapp.finetuning.datasets.shapes import Proposal, SourceOf
    from chatapp.finetuning.datasets.storing import propose
    from chatapp.finetuning.datasets.versions import open_draft

    def add(dataset: Any, *pairs: tuple[str, str], document: uuid.UUID | None = None) -> list[Any]:
        sources = (SourceOf(role="oracle", document=document, start=0, end=10, title="About it"),) if document else ()
        proposals = [
            Proposal(
                origin="curated", prompt=[{"role": "user", "content": asked}], completion=said, sources=sources
            )
            for asked, said in pairs
        ]  # fmt: skip
        version = open_draft(dataset, actor=actor)
        propose(version, proposals)
        return list(version.rows.filter(key__in=[each.key for each in proposals]).order_by("created", "pk"))

    return add


@pytest.fixture
def run_builds(transactional_db: None) -> Callable[[], list[Any]]:
    """Call to do what a worker would: all builds that wait, and those that these leave. Return them as they ended."""
    from chatapp.finetuning.datasets.build_models import DatasetBuild
    from chatapp.finetuning.datasets.builds import run_build

    def run() -> list[Any]:
        ended = []
        while build := DatasetBuild.objects.filter(state="queued").order_by("created").first():
            run_build(build_id=build.pk)
            build.refresh_from_db()
            assert build.state in ("done", "failed"), (build.state, build.last_error)
            ended.append(build)
        return ended

    return run
