"""Foreign, deleted and missing look the same, and an id has one spelling."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from knowledge.documents import access, services
from knowledge.errors import DocumentNotFound, KnowledgeBaseNotFound

pytestmark = pytest.mark.django_db(transaction=True)


def spellings(pk: uuid.UUID) -> list[object]:
    text = str(pk)
    return [text.upper() if text.upper() != text else text.replace("-", ""), f"{{{text}}}", f"urn:uuid:{text}",
            text.replace("-", ""), f" {text}", f"{text}\n", "", None, 7, "x" * 500]  # fmt: skip


def test_own_document_is_found_by_its_id(world: Any) -> None:
    document = world.add("Words.")
    assert access.access_document(actor=world.actor, pk=str(document.pk)) == document
    assert access.access_document(actor=world.actor, pk=document.pk) == document


def test_foreign_and_missing_documents_raise_the_same(world: Any, other_world: Any) -> None:
    document = world.add("Words.")
    said = []
    for pk in (document.pk, uuid.uuid4()):
        with pytest.raises(DocumentNotFound) as caught:
            access.access_document(actor=other_world.actor, pk=pk)
        said.append((caught.value.message, caught.value.status, caught.value.code))
    assert said[0] == said[1]


def test_no_other_spelling_of_an_id_is_accepted(world: Any) -> None:
    document = world.add("Words.")
    for pk in spellings(document.pk):
        with pytest.raises(DocumentNotFound):
            access.access_document(actor=world.actor, pk=pk)
    for pk in spellings(world.base.pk):
        with pytest.raises(KnowledgeBaseNotFound):
            access.access_knowledge_base(actor=world.actor, pk=pk)


def test_document_that_is_being_deleted_is_missing(world: Any) -> None:
    document = world.add("Words.")
    services.delete_document(document=document)
    with pytest.raises(DocumentNotFound):
        access.access_document(actor=world.actor, pk=document.pk)


def test_documents_of_a_base_that_is_being_deleted_are_missing(world: Any) -> None:
    document = world.add("Words.")
    world.base.deleting = True
    world.base.save()
    with pytest.raises(DocumentNotFound):
        access.access_document(actor=world.actor, pk=document.pk)
    with pytest.raises(KnowledgeBaseNotFound):
        access.access_knowledge_base(actor=world.actor, pk=world.base.pk)
    assert not access.visible_knowledge_bases(actor=world.actor).exists()


def test_base_is_found_by_id_or_address_in_its_own_tenant_only(world: Any, other_world: Any) -> None:
    for pk in (world.base.pk, str(world.base.pk), "handbook"):
        assert access.access_knowledge_base(actor=world.actor, pk=pk) == world.base
    assert access.access_knowledge_base(actor=other_world.actor, pk="handbook") == other_world.base
    with pytest.raises(KnowledgeBaseNotFound):
        access.access_knowledge_base(actor=other_world.actor, pk=world.base.pk)


@pytest.mark.parametrize("address", ["", "\0", "handbook\0", "hand book", "\ud800", "handbook" + "x" * 73])
def test_what_is_no_address_is_not_asked_for(world: Any, address: str) -> None:
    world.base.slug = ("handbook" + "x" * 72) if len(address) > 80 else world.base.slug
    world.base.save()
    with pytest.raises(KnowledgeBaseNotFound):
        access.access_knowledge_base(actor=world.actor, pk=address)


def test_one_foreign_base_refuses_the_whole_list(world: Any, other_world: Any) -> None:
    assert access.access_knowledge_bases(actor=world.actor, pks=["handbook", "handbook"]) == [world.base]
    with pytest.raises(KnowledgeBaseNotFound):
        access.access_knowledge_bases(actor=world.actor, pks=["handbook", other_world.base.pk])


def test_version_is_the_current_one_or_the_numbered_one(world: Any) -> None:
    world.add("One.")
    document = world.add("Two.")
    assert access.access_version(actor=world.actor, document_id=document.pk).number == 2
    assert access.access_version(actor=world.actor, document_id=document.pk, number=1).number == 1


@pytest.mark.parametrize("number", [0, -1, 3, 2**31, 2**70])
def test_version_that_is_not_there_is_missing(world: Any, number: int) -> None:
    document = world.add("One.")
    with pytest.raises(DocumentNotFound):
        access.access_version(actor=world.actor, document_id=document.pk, number=number)


def test_version_without_text_is_missing(world: Any, other_world: Any) -> None:
    document = world.upload("One.")
    for number in (None, 1):
        with pytest.raises(DocumentNotFound):
            access.access_version(actor=world.actor, document_id=document.pk, number=number)
    with pytest.raises(DocumentNotFound):
        access.access_version(actor=other_world.actor, document_id=world.add("Two.", "b.md").pk, number=1)


def test_scope_names_the_tenant_and_only_what_was_given(world: Any) -> None:
    scope = access.scope_of(actor=world.actor, bases=[world.base])
    assert scope == world.scope
    assert access.scope_of(actor=world.actor, bases=[]).is_empty
    assert access.scope_of(actor=world.actor, bases=[world.base], documents=[]).is_empty
    document = world.upload("Words.")
    only = access.scope_of(actor=world.actor, bases=[world.base], documents=[document])
    assert only.documents == frozenset({str(document.pk)})


def test_how_a_version_was_read_is_for_those_who_may_edit(world: Any, other_world: Any) -> None:
    document = world.add("Words.")
    world.upload(b"%PDF-1.4 broken", "notes.md")  # a version without text
    newest = access.access_reading(actor=world.actor, document_id=document.pk)
    assert (newest.number, newest.text_sha256) == (2, "")
    assert access.access_reading(actor=world.actor, document_id=document.pk, number=1).document == document
    readers = [replace(world.actor, role=role) for role in ("member", "reader")]
    for actor, number in [
        (readers[0], None),
        (readers[1], 1),
        (other_world.actor, 1),
        (world.actor, 3),
        (world.actor, 0),
    ]:
        with pytest.raises(DocumentNotFound):
            access.access_reading(actor=actor, document_id=document.pk, number=number)
    services.delete_document(document=document)
    with pytest.raises(DocumentNotFound):
        access.access_reading(actor=world.actor, document_id=document.pk)
