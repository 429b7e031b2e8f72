"""Builds of the release before say how much work they have, and go on."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from migrated import migrate, models_at

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE, AFTER = [("finetuning", "0004_registry")], [("finetuning", "0005_builds_of_all_kinds")]

before = models_at(BEFORE)


def test_work_of_builds_is_counted(before: Any, tenant: Any) -> None:
    def make(model: str, **fields: Any) -> Any:
        return before.get_model("finetuning", model).objects.create(**fields)

    dataset = make("TrainingDataset", tenant_id=tenant.pk, slug="house", name="House", kind="raft")
    fields = {"tenant_id": tenant.pk, "dataset": dataset, "kind": "synthesis", "not_before": timezone.now()}
    make("DatasetBuild", **fields, state="running", work=["a", "b", "c"], done=1)
    make("DatasetBuild", **fields, state="done", work=[], done=7)
    builds = migrate(AFTER).get_model("finetuning", "DatasetBuild").objects
    assert dict(builds.values_list("state", "total")) == {"running": 3, "done": 7}
