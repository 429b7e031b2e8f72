"""The form of an assistant: what was typed in, what is stored, or the product's own values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.http import QueryDict

from chatapp.answering.schemas import SchemaRefused
from chatapp.assistants.presentation import CITATIONS, ENFORCEMENTS, MODES
from chatapp.conversations.assistants import DEFAULT, choosable_models
from chatapp.conversations.models import Assistant
from chatapp.language_models.models import LanguageModel
from knowledge.documents.access import visible_knowledge_bases
from knowledge.documents.models import KnowledgeBase
from knowledge.tenants.access import Actor

TEXTS = ("name", "slug", "system_prompt", "answer_mode", "citation_mode", "enforcement")


class Choice(NamedTuple):
    """One value of a group of radio buttons."""

    value: str
    label: str
    help: str
    chosen: bool


class AssistantForm:
    """Nothing is checked here but that the schema is JSON; the services check the rest."""

    def __init__(self, actor: Actor, *, assistant: Assistant | None = None, data: QueryDict | None = None) -> None:
        self.assistant = assistant
        self._actor, self._data = actor, data
        self._stored = assistant or Assistant(language_model=choosable_models(actor=actor).first())

    @property
    def values(self) -> dict[str, str]:
        """The texts as the page shows them."""
        return {name: self._value(name) for name in TEXTS}

    @property
    def schema(self) -> str:
        if self._data is not None:
            return self._data.get("output_schema", "")
        stored = self._stored.output_schema
        return json.dumps(stored, ensure_ascii=False, indent=2) if stored else ""

    @property
    def trained_elsewhere(self) -> bool:
        return self._data.get("trained_elsewhere") == "on" if self._data is not None else self._stored.trained_elsewhere

    @property
    def is_default(self) -> bool:
        return self.assistant is not None and self.assistant.slug == DEFAULT

    @property
    def modes(self) -> list[Choice]:
        return self._choices("answer_mode", Assistant.AnswerMode.choices, MODES)

    @property
    def citations(self) -> list[Choice]:
        return self._choices("citation_mode", Assistant.CitationMode.choices, CITATIONS)

    @property
    def enforcements(self) -> list[Choice]:
        return self._choices("enforcement", Assistant.Enforcement.choices, ENFORCEMENTS)

    @property
    def models(self) -> list[tuple[LanguageModel, bool]]:
        """The models that may be chosen, and which is; one that is switched off stays listed while it is chosen."""
        rows = list(choosable_models(actor=self._actor))
        own = self._stored.language_model
        if own is not None and own not in rows:
            rows.append(own)
        chosen = self._data.get("model", "") if self._data is not None else str(own.pk if own else "")
        return [(row, str(row.pk) == chosen) for row in rows]

    @property
    def bases(self) -> list[tuple[KnowledgeBase, bool]]:
        rows = visible_knowledge_bases(actor=self._actor).order_by("name", "pk")
        if self._data is not None:
            chosen = set(self._data.getlist("knowledge_bases"))
        else:
            chosen = {str(base.pk) for base in self.assistant.knowledge_bases.all()} if self.assistant else set()
        return [(row, str(row.pk) in chosen) for row in rows]

    def given(self) -> dict[str, Any]:
        """Return what was typed in, as the services take it.

        :raises SchemaRefused: the schema is not JSON.
        """
        assert self._data is not None
        given: dict[str, Any] = {name: self._data[name] for name in TEXTS if name in self._data}
        if not given.get("slug"):
            given.pop("slug", None)
        return given | {
            "model": self._data.get("model", ""),
            "trained_elsewhere": self.trained_elsewhere,
            "knowledge_bases": self._data.getlist("knowledge_bases"),
            "output_schema": _json(self.schema),
        }

    def _value(self, name: str) -> str:
        return str(self._data.get(name, "") if self._data is not None else getattr(self._stored, name))

    def _choices(
        self, name: str, choices: Sequence[tuple[str, Any]], words: Mapping[str, str]
    ) -> list[Choice]:  # fmt: skip
        chosen = self._value(name)
        return [Choice(value, str(label), words.get(value, ""), value == chosen) for value, label in choices]


def _json(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f" near line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise SchemaRefused(f"The JSON Schema is not JSON{at}. Check quotes, commas and brackets.") from error
