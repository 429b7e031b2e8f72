"""What shape an answer has to have: its schema, and the object of an answer as its reader gets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError

from chatapp.answering import OutputSchema, checked_schema, mode_of, output_of
from chatapp.answering.schemas import SchemaRefused
from chatapp.answering.small_talk import is_small_talk
from chatapp.language_models.models import LanguageModel
from knowledge.llm import ModelSettings

if TYPE_CHECKING:
    from chatapp.conversations.models import Assistant

__all__ = ["output_of_question", "shown_output", "system_prompt_of", "validate_schema"]


def validate_schema(value: object) -> None:
    """Refuse in a form what ``checked_schema`` refuses."""
    try:
        if value:
            checked_schema(value)
    except SchemaRefused as err:
        raise ValidationError(err.message) from err


def output_of_question(
    question: str, *, assistant: Assistant, own: Mapping[str, Any] | None, model: ModelSettings
) -> OutputSchema | None:
    """Return what the answer has to fit: the caller's own schema, else the assistant's; None where it is text.

    A greeting that nothing is searched for is answered in text. The model's server is asked for the schema where it is
    known to keep to one.

    :raises SchemaRefused: it is not accepted.
    """
    schema = own or assistant.output_schema
    if not schema or (mode_of(assistant.answer_mode).searches and is_small_talk(question)):
        return None
    assert assistant.language_model is not None
    return OutputSchema(schema=checked_schema(schema), native=_takes_schemas(assistant.language_model, model))


def system_prompt_of(assistant: Assistant, output: OutputSchema | None) -> str:
    """Return what the assistant tells its model, and what shape the answer has to have."""
    if output is None:
        return assistant.system_prompt
    told = output.instructions(cited=mode_of(assistant.answer_mode).searches)
    return f"{assistant.system_prompt.strip()}\n\n{told}".strip()


def _takes_schemas(entry: LanguageModel, model: ModelSettings) -> bool:
    """Tell whether the model that is called keeps to a JSON Schema by itself; an alias says nothing of its target."""
    found: LanguageModel | None = entry
    if entry.model != model.model:
        found = LanguageModel.objects.filter(pk=model.entry).first() if model.entry else None
    return found is not None and found.capabilities.get("json_schema") in (True, "strict")


def shown_output(schema: Mapping[str, Any], text: str) -> dict[str, Any] | None:
    """Return the object of an answer without the marks in it, from its text as the reader is shown it.

    None where text was asked for, and where the answer is words, as a refusal is.
    """
    return output_of(text) if schema else None
