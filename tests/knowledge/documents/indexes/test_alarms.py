"""What is wrong with an index or the disk, in sentences with the next step."""

from __future__ import annotations

import shutil
from collections import namedtuple
from typing import Any

import pytest
from django.utils import timezone

from knowledge.documents.indexes import alarms
from knowledge.documents.models import IndexJob
from knowledge.types import StoreFacts

pytestmark = pytest.mark.django_db

Usage = namedtuple("Usage", "total used free")
MB, GB = 2**20, 2**30


def told(tenant: Any, **facts: Any) -> list[str]:
    made = StoreFacts(**{"rows": 5_000, "dimension": 384, "bytes": 30 * MB, "versions": 3, **facts})
    return alarms.of_table(made, tenant_id=tenant.pk, space="s")


def test_healthy_table_raises_none(tenant: Any) -> None:
    assert told(tenant) == []
    assert told(tenant, unindexed={"terms_idx": 400}) == []  # below a tenth
    assert told(tenant, rows=2_000, unindexed={"terms_idx": 999}) == []  # half of them, but few
    assert told(tenant, rows=3, bytes=60 * MB) == []  # a table of three rows is mostly overhead
    assert told(tenant, rows=None, bytes=None, versions=None, dimension=None) == []  # a sleeping tenant of Weaviate
    assert alarms.of_table(None, tenant_id=tenant.pk, space="s") == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"unindexed": {"terms_idx": 1_001}}, "1,001 of 5,000 passages are not in the index terms_idx"),
        ({"unindexed": {"terms_idx": 0, "vector_idx": 5_000}}, "in the index vector_idx"),
        ({"versions": 201}, "201 old states"),
        ({"bytes": 300 * MB}, "takes 300.0 MB for 5,000 passages"),
        ({"rows": 0, "bytes": 65 * MB}, "takes 65.0 MB for 0 passages"),
    ],
)
def test_each_alarm_names_the_figures_and_the_next_step(tenant: Any, facts: dict[str, Any], words: str) -> None:
    (sentence,) = told(tenant, **facts)
    assert words in sentence
    assert "manage.py upkeep" in sentence


def test_three_failures_running_are_an_alarm_and_a_success_ends_it(tenant: Any) -> None:
    def add(state: str) -> None:
        IndexJob.objects.create(
            kind="upkeep", tenant=tenant, space="s", state=state, not_before=timezone.now(), finished=timezone.now(),
            last_error="No cheese left." if state == "failed" else "",
        )  # fmt: skip

    for _ in range(2):
        add("failed")
    assert told(tenant) == []
    add("failed")
    (sentence,) = told(tenant)
    assert "failed 3 times running: No cheese left." in sentence
    IndexJob.objects.create(kind="upkeep", tenant=tenant, space="s", not_before=timezone.now())  # waiting: says nothing
    assert told(tenant) != []
    add("done")
    assert told(tenant) == []


@pytest.mark.parametrize(
    ("total", "free", "alarm"),
    [(100 * GB, 11 * GB, False), (100 * GB, 9 * GB, True), (5 * GB, 0.9 * GB, True), (5 * GB, 1.1 * GB, False)],
)
def test_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch, total: float, free: float, alarm: bool) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total, total - free, free))
    found = alarms.disk()
    assert bool(found) == alarm
    assert all("Free some space" in sentence for sentence in found)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (999, "999 bytes"), (2_048, "2.0 KB"), (3 * MB, "3.0 MB"), (5 * GB, "5.0 GB")]
)
def test_sizes_for_people(count: int, words: str) -> None:
    assert alarms.size(count) == words
