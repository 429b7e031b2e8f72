"""Every row once, whatever is added meanwhile, and no cursor but our own."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge.documents import paging
from knowledge.documents.models import Document

pytestmark = pytest.mark.django_db


def walk(rows: Any, limit: int, between: Any = lambda: None) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        items, cursor = paging.page(rows, field="created", cursor=cursor, limit=limit)
        assert len(items) <= limit
        found += [document.name for document in items]
        if cursor is None:
            return found
        between()


@pytest.fixture
def rows(base: Any) -> Any:
    now = timezone.now()
    for number in range(7):
        row = Document.objects.create(tenant=base.tenant, knowledge_base=base, name=f"{number}", title="t")
        # Three of them came in the same moment.
        Document.objects.filter(pk=row.pk).update(created=now - timedelta(seconds=max(number, 3)))
    return Document.objects.filter(knowledge_base=base)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_pages_hold_every_row_once_newest_first(rows: Any, limit: int) -> None:
    found = walk(rows, limit)
    assert sorted(found) == list("0123456")
    assert found[-3:] == ["4", "5", "6"]


def test_rows_added_and_removed_while_paging_shift_nothing(rows: Any, base: Any) -> None:
    added = iter(range(100))

    def between() -> None:
        Document.objects.create(tenant=base.tenant, knowledge_base=base, name=f"new {next(added)}", title="t")
        Document.objects.filter(name="6").delete()

    assert sorted(walk(rows, 2, between)) == list("012345")


def test_last_full_page_has_no_cursor(rows: Any) -> None:
    assert paging.page(rows, field="created", cursor=None, limit=7)[1] is None
    assert paging.page(rows.none(), field="created", cursor=None, limit=7) == ([], None)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


PK = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    "cursor",
    [
        "garbage", "é", "====", "a", "AAAA", encoded([1, 2]), encoded(["2026-01-01T00:00:00+00:00"]),
        encoded(["2026-01-01T00:00:00+00:00", 5]), encoded(["2026-01-01T00:00:00+00:00", "x"]),
        encoded(["yesterday", PK]), encoded([None, PK]), encoded({"a": 1}), encoded(7),
        encoded(["0001-01-01T00:00:00+14:00", PK]), encoded(["9999-12-31T23:59:59-14:00", PK]),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(), base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)  # fmt: skip
def test_cursor_of_somebody_else_is_refused(rows: Any, cursor: str) -> None:
    with pytest.raises(paging.BadCursor) as caught:
        paging.page(rows, field="created", cursor=cursor, limit=2)
    assert caught.value.status == 400


def test_cursor_without_a_zone_does_no_harm(rows: Any) -> None:
    items, _ = paging.page(rows, field="created", cursor=encoded(["2099-01-01T00:00:00", PK]), limit=2)
    assert len(items) == 2
