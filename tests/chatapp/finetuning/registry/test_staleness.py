"""A document is really deleted: its report names every model trained on it, they are marked, and others answer."""

from __future__ import annotations

from typing import Any

import pytest
import tuned_world
from stored_answers import stored_answer, stored_source

from chatapp.finetuning.datasets.models import RowSource
from chatapp.finetuning.registry import services
from chatapp.finetuning.registry.errors import RegistryRefused
from chatapp.language_models.models import LanguageModel
from knowledge.documents.deletions import words
from knowledge.documents.deletions.deletion import purge, run_delete
from knowledge.documents.models import DeletionReport, Document, IngestionJob, KnowledgeBase
from knowledge.documents.services import delete_document
from knowledge.tenants.access import actor_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server", "_parts")]

URL = "http://127.0.0.1:9/v1"


@pytest.fixture
def document(tenant: Any) -> Document:
    return stored_source(KnowledgeBase.objects.create(tenant=tenant, name="Rules", slug="rules"), "visitors")


def gone(document: Document, *, headline: str = "") -> dict[str, Any]:
    """Delete it as people do, do the work, and return the place of models in its report."""
    pk = document.pk
    delete_document(document=document)
    run_delete(job_id=IngestionJob.objects.get(kind="delete", document=document).pk)
    purge()
    report = DeletionReport.objects.get(document_ref=pk)
    assert report.state == "done", report.error
    assert headline in words.headline(report)
    return next(entry for entry in report.places if entry["place"] == "models")


@pytest.fixture
def versions(make_version: Any, admin: Any, document: Document) -> tuple[Any, Any]:
    """Two promoted versions; the second, active one was trained on the document."""
    made = (make_version(), make_version(documents=[document]))
    for version in made:
        tuned_world.serve(version, url=URL, model=f"m{version.number}")
        services.promote(admin, version.pk, force="test")
    return made


def test_its_models_are_named_marked_and_answer_no_more(versions: Any, admin: Any, document: Document) -> None:
    kept, trained = versions
    alias = LanguageModel.objects.filter(pk=trained.fine_tuned_model.language_model_id)
    assert alias.get().target == trained.language_model
    pk = str(document.pk)
    entry = gone(document, headline="What was made from it cannot forget it: Models trained on it (1).")
    assert (entry["rule"], entry["before"], entry["after"]) == ("learnt", 1, 1)
    assert "“Ferry answers on Tiny” version 2" in entry["note"]
    assert "Weights cannot forget" in entry["note"]
    assert "They answer no more." in entry["note"]
    for version in versions:
        version.refresh_from_db()
    assert kept.stale is None
    assert trained.stale is not None
    assert trained.stale_documents == [{"id": pk}]
    assert trained.events.filter(kind="stale").count() == 1
    assert alias.get().target == kept.language_model
    with pytest.raises(RegistryRefused, match="Train again without"):
        services.promote(admin, make_candidate(trained).pk)


def make_candidate(version: Any) -> Any:
    type(version).objects.filter(pk=version.pk).update(state="candidate")
    return version


def test_an_installation_may_keep_them_and_is_told(versions: Any, document: Document, settings: Any) -> None:
    settings.STALE_MODELS = "keep"
    _, trained = versions
    assert "They still answer (STALE_MODELS=keep)." in gone(document)["note"]
    trained.refresh_from_db()
    assert trained.stale is not None
    assert LanguageModel.objects.get(pk=trained.fine_tuned_model.language_model_id).target == trained.language_model


def test_answers_that_quoted_it_count_as_sources(
    make_version: Any, owner: Any, tenant: Any, use_model: Any, document: Document
) -> None:
    use_model(tenant, "scripted-ok")
    run = stored_answer(actor_for(user_id=owner.pk), document)
    version = make_version()
    row = version.run.dataset_version.rows.first()
    RowSource.objects.create(row=row, role="answer", run_ref=run.pk)
    assert gone(document)["after"] == 1
    version.refresh_from_db()
    assert version.stale is not None


def test_a_document_that_nothing_was_trained_on_says_nothing(versions: Any, tenant: Any) -> None:
    other = stored_source(KnowledgeBase.objects.get(tenant=tenant), "leave")
    entry = gone(other)
    assert (entry["before"], entry["after"], entry["note"]) == (0, 0, "")


def test_one_that_went_while_it_was_trained_makes_it_stale_at_once(make_version: Any, document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(status="deleting")
    version = make_version(documents=[document])
    assert version.stale is not None
    assert version.stale_documents == [{"id": str(document.pk)}]


def test_deleted_weights_are_no_longer_counted(versions: Any, admin: Any, document: Document) -> None:
    _, trained = versions
    make_candidate(trained)
    services.retire(admin, trained.pk, delete_files=True)
    assert gone(document)["after"] == 0
