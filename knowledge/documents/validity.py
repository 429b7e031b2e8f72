"""From when until when a document is searched, and when it is deleted: dates, their checks, and their words."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format

from knowledge.documents import notices
from knowledge.documents.models import Document
from knowledge.errors import BadDates, DocumentNotFound

__all__ = ["DATES", "EXPIRED", "delete_expired", "moment", "moment_words", "set_dates", "words"]

DATES: Final = ("valid_from", "valid_until", "expires")
"""The dates of a document. It is searched from the first until just before the second, and deleted at the third."""

EXPIRED: Final = "expired"
"""The reason of a deletion that a date brought about."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)


def moment(value: Any, *, name: str) -> datetime | None:
    """Read a date and time with its zone, in ISO 8601; None and the empty text are no date.

    :raises BadDates: it is something else.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    try:
        if isinstance(value, str) and _MOMENT.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadDates(
        f"{name} must be a date and time with its zone, like 2027-03-01T00:00:00Z or 2027-03-01T00:00+01:00."
    )


@transaction.atomic
def set_dates(*, document: Document, changes: Mapping[str, datetime | None]) -> None:
    """Change the dates that are given, None taking one away; searches and the page follow at once.

    :raises BadDates: together with those that stay they make no sense.
    :raises DocumentNotFound: it was deleted meanwhile.
    """
    if not changes:
        return
    row = Document.objects.alive().select_for_update(of=("self",)).filter(pk=document.pk).first()
    if row is None:
        raise DocumentNotFound
    for name in changes:
        setattr(row, name, changes[name])
    _check(row, changes)
    row.save(update_fields=[*changes, "updated"])
    for name in changes:
        setattr(document, name, changes[name])
    notices.changed(row)


def _check(row: Document, changes: Mapping[str, datetime | None]) -> None:
    if row.valid_from and row.valid_until and row.valid_from >= row.valid_until:
        raise BadDates(
            "A document must become valid before it stops being valid: valid_until must be later than valid_from."
        )
    expires = changes.get("expires")
    if expires is not None and expires <= timezone.now():
        raise BadDates("The date in expires is over. Choose a later one, or delete the document.")


def words(document: Document, *, now: datetime | None = None) -> str:
    """Say why a document is not searched now; empty when its dates do not keep it out."""
    now = now or timezone.now()
    if document.expires is not None and document.expires <= now:
        return f"expired on {moment_words(document.expires)}"
    if document.valid_until is not None and document.valid_until <= now:
        return f"no longer valid since {moment_words(document.valid_until)}"
    if document.valid_from is not None and document.valid_from > now:
        return f"not searched before {moment_words(document.valid_from)}"
    return ""


def moment_words(value: datetime) -> str:
    """Return the day, and the time where it is not midnight in the zone of the settings."""
    local = timezone.localtime(value)
    if (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0):
        return date_format(local, "j F Y")
    return f"{date_format(local, 'j F Y, H:i')} {local.tzname()}"


def delete_expired(*, now: datetime) -> int:
    """Delete the documents whose time is over and return how many; those left over wait for the next call."""
    due = Document.objects.alive().filter(expires__lte=now).order_by("expires").values_list("pk", flat=True)
    return sum(_expire(pk, now) for pk in list(due[:500]))


@transaction.atomic
def _expire(pk: uuid.UUID, now: datetime) -> bool:
    """Delete the document unless somebody gave it more time meanwhile."""
    from knowledge.documents.services import delete_document

    row = Document.objects.alive().select_for_update(of=("self",)).filter(pk=pk, expires__lte=now).first()
    if row is None:
        return False
    delete_document(document=row, reason=EXPIRED)
    return True
