"""HTTP API: assistants. Everyone of a tenant sees which there are; administrators change them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from chatapp.answering import mode_of
from chatapp.conversations import access, assistants
from chatapp.conversations.models import Assistant, CitationPolicy
from chatapp.conversations.policies import policy_of, stricter
from knowledge.tenants.access import Actor

router = Router(tags=["assistants"])


class AssistantPatch(Schema):
    name: str | None = Field(default=None, max_length=200)
    slug: str | None = Field(default=None, max_length=80)
    knowledge_bases: list[str] | None = Field(default=None, max_length=assistants.MOST_BASES)
    model: str | None = Field(default=None, description="Short name of an entry of the catalogue; null for none.")
    answer_mode: str | None = None
    trained_elsewhere: bool | None = None
    citation_mode: str | None = None
    enforcement: str | None = None
    system_prompt: str | None = None
    output_schema: dict[str, Any] | None = Field(default=None, description="A JSON Schema; null or {} for text.")

    def given(self) -> dict[str, Any]:
        """Return what was sent; null is a value of those two that may be empty."""
        sent = self.dict(exclude_unset=True)
        return {name: value for name, value in sent.items() if value is not None or name in ("model", "output_schema")}


class AssistantIn(AssistantPatch):
    name: str = Field(max_length=200)


def row_of(assistant: Assistant, *, actor: Actor, policy: CitationPolicy | None) -> dict[str, Any]:
    """Return an assistant in the public shape; what it tells its model only to those who administer."""
    row = {
        "id": str(assistant.pk),
        "slug": assistant.slug,
        "name": assistant.name,
        "answer_mode": assistant.answer_mode,
        "searches": mode_of(assistant.answer_mode).searches,
        "citation_mode": stricter(assistant, policy)[0],
        "model": assistant.language_model.slug if assistant.language_model else None,
        "output_schema": assistant.output_schema or None,
    }
    if actor.can_administer:
        row |= {
            "own_citation_mode": assistant.citation_mode,
            "enforcement": assistant.enforcement,
            "trained_elsewhere": assistant.trained_elsewhere,
            "system_prompt": assistant.system_prompt,
            "knowledge_bases": [str(base.pk) for base in assistant.knowledge_bases.all()],
        }
    return row


@router.get("", response=dict[str, Any])
def list_assistants(request: HttpRequest) -> dict[str, Any]:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    rows = access.visible_assistants(actor=actor).prefetch_related("knowledge_bases")
    policy = policy_of(actor.tenant_id)
    return {"items": [row_of(row, actor=actor, policy=policy) for row in rows], "next_cursor": None}


@router.post("", response={201: dict[str, Any]})
def create(request: HttpRequest, data: AssistantIn) -> Any:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    made = assistants.create_assistant(actor=actor, fields=data.given())
    return Status(201, row_of(made, actor=actor, policy=policy_of(actor.tenant_id)))


@router.patch("/{assistant_id}", response=dict[str, Any])
def change(request: HttpRequest, assistant_id: str, data: AssistantPatch) -> dict[str, Any]:
    """Change an assistant, named by its id or short name."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    found = assistants.access_assistant_to_administer(actor=actor, name=assistant_id)
    changed = assistants.update_assistant(actor=actor, assistant=found, changes=data.given())
    return row_of(changed, actor=actor, policy=policy_of(actor.tenant_id))


@router.delete("/{assistant_id}", response={204: None})
def delete(request: HttpRequest, assistant_id: str) -> Any:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    found = assistants.access_assistant_to_administer(actor=actor, name=assistant_id)
    assistants.delete_assistant(actor=actor, assistant=found)
    return Status(204, None)
