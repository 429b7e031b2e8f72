"""What an address of the search page may say."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from chatapp.conversations.retrieval import PASSAGES, SETTINGS, SettingRefused
from chatapp.conversations.services import clean_question
from knowledge.errors import KnowledgeError

MOST = 50
EARLIER_CHARACTERS = 4_000


class SearchForm(forms.Form):
    """A question, perhaps with the turn before it. Knowledge bases and assistants go through their own doors."""

    q = forms.CharField(required=False, strip=True)
    previous = forms.CharField(required=False, strip=True, max_length=EARLIER_CHARACTERS)
    answer = forms.CharField(required=False, strip=True, max_length=EARLIER_CHARACTERS)
    limit = forms.IntegerField(required=False, min_value=1, max_value=MOST)

    def clean_q(self) -> str:
        text = self.cleaned_data["q"]
        if not text:
            return ""
        try:
            return clean_question(text)
        except KnowledgeError as err:
            raise ValidationError(err.message) from err

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("answer") and not data.get("previous"):
            self.add_error("answer", "An earlier answer counts only with the question it was given to.")
        return data

    @property
    def passages(self) -> int:
        """How many are asked for."""
        return int(self.cleaned_data.get("limit") or PASSAGES)


def changed_settings(given: Any, *, saved: dict[str, float | None]) -> tuple[dict[str, float | None], dict[str, str]]:
    """Return the settings an address changes, and what is wrong with those it cannot change, in words.

    A setting that is not in the address, or is empty, stays as it is saved. An optional one that is empty has no value.
    """
    changed: dict[str, float | None] = {}
    wrong: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        text = given.get(name)
        if text is None or (not text.strip() and not setting.optional):
            continue
        try:
            value = setting.checked(_number(text))
        except SettingRefused as err:
            wrong[name] = err.message
            continue
        if value != saved.get(name, setting.default):
            changed[name] = value
    return changed, wrong


def _number(text: str) -> object:
    """Return the number a text states, None for an empty one, and the text itself where it is none."""
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return text
