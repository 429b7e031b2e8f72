"""Cursor pages: opaque, stable while rows are added, and cheap at any depth."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from django.db.models import Model, Q, QuerySet
from ninja import Query

from knowledge.errors import KnowledgeError

PageSize = Annotated[int, Query(ge=1, le=200)]
MAX_CURSOR = 300

M = TypeVar("M", bound=Model)


class BadCursor(KnowledgeError):
    code = "bad_cursor"
    status = 400
    default_message = "The cursor is not one this server gave."


def page(rows: QuerySet[M], *, field: str, cursor: str | None, limit: int) -> tuple[list[M], str | None]:
    """Return up to ``limit`` rows by ``field`` descending (then id), and the cursor of the next page.

    :raises BadCursor: the cursor cannot be read.
    """
    if cursor:
        moment, pk = _decode(cursor)
        rows = rows.filter(Q(**{f"{field}__lt": moment}) | Q(**{field: moment, "pk__gt": pk}))
    found = list(rows.order_by(f"-{field}", "pk")[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], _encode(getattr(last, field), last.pk)


def _encode(moment: datetime, pk: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps([moment.isoformat(), str(pk)]).encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    if len(cursor) > MAX_CURSOR:
        raise BadCursor
    try:
        moment, pk = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        # The key is checked as text, and a moment without a zone (or beyond the calendar in UTC) is not ours.
        return datetime.fromisoformat(moment).astimezone(UTC), str(uuid.UUID(str(pk)))
    except (ValueError, TypeError, OverflowError) as error:
        raise BadCursor from error
