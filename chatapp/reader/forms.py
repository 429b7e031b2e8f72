"""What people type in about a document."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone

from knowledge.documents.models import Document
from knowledge.documents.validity import DATES

__all__ = ["DatesForm"]


def _day(label: str, hint: str) -> forms.DateField:
    return forms.DateField(
        label=label,
        help_text=hint,
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        validators=[MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(9000, 12, 31))],
        error_messages={"invalid": "This is not a date. Write it like 2027-03-01."},
    )


class DatesForm(forms.Form):
    """The dates of a document as days, which begin at midnight in the zone of the settings.

    A moment that was set to the minute over the interface stays as it is unless its day is changed.
    """

    valid_from = _day("Valid from", "Not searched before this day.")
    valid_until = _day("No longer valid from", "Not searched from this day on.")
    expires = _day("Delete on", "Deleted for good at the beginning of this day.")

    def __init__(self, data: Any = None, *, document: Document) -> None:
        given = {name: getattr(document, name) for name in DATES}
        days = {name: timezone.localtime(value).date() for name, value in given.items() if value is not None}
        super().__init__(data, initial=days)

    def changes(self) -> dict[str, datetime | None]:
        """Return the moments of the days that were changed."""
        return {name: _midnight(self.cleaned_data[name]) for name in self.changed_data}


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time()))
