"""Filters: what they let through, what they refuse in words, and that ranking never sees the rest."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from knowledge.documents import filters, searching
from knowledge.documents.filters import EXPECTED, BadFilter, SearchFilters, narrowed
from knowledge.documents.models import Document, DocumentVersion
from knowledge.types import Query

pytestmark = pytest.mark.django_db(transaction=True)


def read(**data: Any) -> SearchFilters:
    return SearchFilters.model_validate(data)


@pytest.fixture
def shelf(world: Any) -> Any:
    """Five rows that no test has to index: filters are answered by the database alone."""

    def put(name: str, metadata: dict[str, Any], created: str, media_type: str, language: str) -> None:
        document = Document.objects.create(
            tenant_id=world.actor.tenant_id, knowledge_base=world.base, name=name, title=name, metadata=metadata
        )
        document.current_version = DocumentVersion.objects.create(
            document=document, number=1, filename=name, size=1, sha256="", media_type=media_type, language=language
        )
        document.save()
        moment = datetime.fromisoformat(created).replace(tzinfo=UTC)
        Document.objects.filter(pk=document.pk).update(created=moment, updated=moment)

    put(
        "a",
        {"department": "HR", "year": 2024, "tags": ["leave", "pay"]},
        "2024-01-01T00:00:00",
        "application/pdf",
        "en",
    )
    put("b", {"department": "IT", "year": 2024.0, "open": True}, "2024-01-31T23:59:59", "text/markdown", "de")
    put("c", {"department": "hr", "year": "2024", "open": 1}, "2024-02-01T00:00:00", "text/markdown", "")
    put("d", {"2024": "x", "a.b": None, 'q"uote': "%", "open": "true"}, "2023-12-31T23:59:59", "application/pdf", "de")
    put("e", {}, "2025-06-15T12:00:00", "application/pdf", "fr")
    return world


def names(world: Any, **data: Any) -> str:
    """Return the names of the documents that pass, sorted, as one word."""
    scope = narrowed(world.scope, read(**data))
    if scope.documents is None:
        return "all"
    return "".join(sorted(Document.objects.filter(pk__in=scope.documents).values_list("name", flat=True)))


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"department": "HR"}, "a"),
        ({"department": ["HR", "IT"]}, "ab"),
        ({"department": "HR", "year": 2024}, "a"),
        ({"department": "IT", "year": "2024"}, ""),
        ({"year": 2024}, "ab"),
        ({"year": "2024"}, "c"),
        ({"year": [2024, "2024"]}, "abc"),
        ({"tags": "pay"}, "a"),
        ({"tags": ["nothing", "leave"]}, "a"),
        ({"tags": "pa"}, ""),
        ({"open": True}, "b"),
        ({"open": 1}, "c"),
        ({"open": "true"}, "d"),
        ({"open": False}, ""),
        ({"a.b": None}, "d"),
        ({"department": None}, ""),
        ({"2024": "x"}, "d"),
        ({'q"uote': "%"}, "d"),
        ({"department": {"exists": True}}, "abc"),
        ({"department": {"exists": False}}, "de"),
        ({"a.b": {"exists": True}}, "d"),
        ({'q"uote': {"exists": True}}, "d"),
        ({"department__icontains": "h"}, ""),
        ({"year": 1e308}, ""),
        ({"' OR 1=1 --": {"exists": True}}, ""),
    ],
)
def test_metadata(shelf: Any, metadata: dict[str, Any], expected: str) -> None:
    assert names(shelf, metadata=metadata) == expected


@pytest.mark.parametrize("field", ["created", "updated"])
@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ({"from": "2024-01-01", "to": "2024-01-31"}, "ab"),
        ({"from": "2024-02-01"}, "ce"),
        ({"to": "2023-12-31"}, "d"),
        ({"from": "2024-01-31", "to": "2024-01-31"}, "b"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "abcde"),
    ],
)
def test_dates_include_their_last_day(shelf: Any, field: str, days: dict[str, str], expected: str) -> None:
    assert names(shelf, **{field: days}) == expected


def test_media_type_and_language(shelf: Any) -> None:
    assert names(shelf, media_type="application/PDF") == "ade"
    assert names(shelf, media_type=["text/markdown", "image/png"]) == "bc"
    assert names(shelf, language="de") == "bd"
    assert names(shelf, language=["EN", "fr"]) == "ae"
    assert names(shelf, language="und") == "c"
    assert names(shelf, language="xx") == ""


def test_all_filters_must_pass(shelf: Any) -> None:
    assert names(shelf, media_type="application/pdf", language=["de", "fr"], created={"to": "2024-12-31"}) == "d"


def test_documents_are_narrowed_further_and_never_widened(shelf: Any, other_world: Any) -> None:
    ids = {document.name: str(document.pk) for document in Document.objects.all()}
    foreign = other_world.upload("Words.", "foreign.md")
    named = [ids["a"], ids["e"], str(foreign.pk), str(uuid.uuid4()), "no id"]
    assert names(shelf, documents=named) == "ae"
    assert names(shelf, documents=named, language="fr") == "e"
    assert narrowed(other_world.scope, read(documents=named)).documents == {str(foreign.pk)}


def test_nothing_asked_leaves_the_scope_alone(shelf: Any) -> None:
    scope = shelf.scope
    assert narrowed(scope, None) is scope
    assert narrowed(scope, read()) is scope
    assert names(shelf, metadata={}, language=None) == "all"


def test_filter_that_everything_passes_sends_no_list_of_all(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "MANY", 2)
    assert names(shelf, created={"from": "2000-01-01"}) == "all"
    assert names(shelf, created={"from": "2024-01-01"}) == "abce"


def test_document_that_is_being_deleted_passes_nothing(shelf: Any) -> None:
    Document.objects.filter(name="a").update(status="deleting")
    assert names(shelf, metadata={"department": "HR"}) == ""


def test_one_query_whatever_the_filters(shelf: Any, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        narrowed(
            shelf.scope, read(metadata={"year": [2024], "open": True}, language="de", created={"to": "2024-01-01"})
        )


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"documents": []}, "documents"), ({"documents": "a"}, "documents"), ({"documents": ["x"] * 1001}, "documents"),
        ({"metadata": "HR"}, "metadata"), ({"metadata": {"a": {}}}, "metadata"), ({"metadata": {"a": []}}, "metadata"),
        ({"metadata": {"a": {"exists": True, "or": 1}}}, "metadata"), ({"metadata": {"a": [["b"]]}}, "metadata"),
        ({"metadata": {"a": float("nan")}}, "metadata"),
        ({"metadata": {str(n): n for n in range(21)}}, "metadata"), ({"metadata": {"": 1}}, "metadata"),
        ({"created": {}}, "created"), ({"created": "2024"}, "created"), ({"created": {"from": 0}}, "created"),
        ({"created": {"from": "2024-02-30"}}, "created"), ({"created": {"from": "2024-02-02", "to": "2024-02-01"}}, "created"),
        ({"updated": {"since": "2024-01-01"}}, "updated"), ({"updated": {"from": "yesterday"}}, "updated"),
        ({"media_type": []}, "media_type"), ({"media_type": 7}, "media_type"), ({"language": ""}, "language"),
        ({"language": ["de"] * 101}, "language"),
    ],
)  # fmt: skip
def test_filter_that_is_not_right_is_refused_with_what_it_must_be(data: dict[str, Any], name: str) -> None:
    with pytest.raises(BadFilter) as refused:
        read(**data)
    assert refused.value.message == f"The filter {name} must be {EXPECTED[name]}."


def test_unknown_filter_is_refused_by_name() -> None:
    with pytest.raises(
        BadFilter, match=r"no filter named “colour”\. Known filters: documents, metadata, created, .*\.$"
    ):
        read(colour="red")
    with pytest.raises(BadFilter, match="must be an object"):
        SearchFilters.model_validate([1])


# --- over the whole search --------------------------------------------------------------------------


def test_filters_apply_before_ranking(world: Any) -> None:
    for number in range(12):
        world.upload(f"Otter otter otter {number}.", f"loud-{number}.md", metadata={"department": "IT"})
    world.upload("An otter was mentioned once among many other things here.", "quiet.md", metadata={"department": "HR"})
    world.work()
    query = Query(text="otter", limit=1)
    assert searching.search(query, scope=world.scope).passages[0].title.startswith("loud")
    found = searching.search(query, scope=world.scope, filters=read(metadata={"department": "HR"}))
    assert [passage.title for passage in found.passages] == ["quiet.md"]
    assert found.candidates == 1
    assert found.timings["total"] >= found.timings["filter"] > 0


def test_filters_that_nothing_passes_find_nothing(world: Any) -> None:
    world.add("The otter sleeps.")
    found = searching.search(Query(text="otter"), scope=world.scope, filters=read(metadata={"no": "thing"}))
    assert found.passages == ()
    assert found.candidates == 0


def test_many_documents_are_no_limit(world: Any) -> None:
    document = world.add("The otter sleeps.")
    wide = [*(str(uuid.uuid4()) for _ in range(60_000)), str(document.pk)]
    from dataclasses import replace

    found = searching.search(Query(text="otter"), scope=replace(world.scope, documents=frozenset(wide)))
    assert [passage.document for passage in found.passages] == [str(document.pk)]


def test_operator_filters(world: Any) -> None:
    from io import StringIO

    from django.core.management import CommandError, call_command

    first = world.add("The otter sleeps.", "a.md", metadata={"department": "HR", "year": 2024})
    world.add("The otter wakes.", "b.md", metadata={"department": "IT", "year": "2024"})

    def found(*filters: str) -> str:
        out = StringIO()
        call_command(
            "search", "otter", "--json", *(part for text in filters for part in ("--filter", text)), stdout=out
        )
        return "".join(sorted(passage["title"][0] for passage in json.loads(out.getvalue())["passages"]))

    assert found() == "ab"
    assert found("metadata.department=HR") == "a"
    assert found("metadata.department=HR", "metadata.department=IT") == "ab"
    assert found("metadata.year=2024") == "a"
    assert found('metadata.year="2024"') == "b"
    assert found('{"metadata": {"department": {"exists": false}}}') == ""
    assert found("created.to=2000-01-01") == ""
    assert found('{"metadata": {"department": "HR"}}', "metadata.department=IT") == "ab"
    assert found('{"media_type": "text/plain"}', "media_type=text/markdown") == "ab"
    assert found(f"documents={first.pk}", "media_type=text/markdown") == "a"
    for wrong, sentence in (
        ("colour=red", "no filter named “colour”"), ("colour", "neither NAME=VALUE nor"), ("{", "no JSON"),
        ("created=2000", "The filter created must be"), ("created.from=20240101", "The filter created must be"),
        ("created.from=2024-W05-1", "The filter created must be"), (f"documents={uuid.uuid4()}", "No such document."),
    ):  # fmt: skip
        with pytest.raises(CommandError, match=sentence):
            found(wrong)
    for one, other in (
        ("created.from=2026-01-01", "created=x"), ("language=de", "language.x=y"), ("metadata=1", "metadata.a=2"),
        ('{"metadata": {"a": {"exists": true}}}', "metadata.a=2"),
    ):  # fmt: skip
        with pytest.raises(CommandError, match="contradicts another one"):
            found(one, other)
