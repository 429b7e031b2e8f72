"""From stored bytes to a live version, and every way in which that can end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import files, ingest, selectors, services, tasks
from knowledge.documents.indexes import indexing
from knowledge.documents.models import Document, DocumentVersion, IngestionJob
from knowledge.errors import (
    KnowledgeError,
    ModelBusy,
    ModelNotConfigured,
    ModelUnavailable,
    RetryUseless,
    StoreBusy,
    StoreError,
    StoreUnavailable,
)

pytestmark = pytest.mark.django_db(transaction=True)

State, Status = IngestionJob.State, Document.Status


def forward(job: IngestionJob) -> None:
    """Let the back-off of a waiting job pass."""
    IngestionJob.objects.filter(pk=job.pk).update(not_before=timezone.now() - timedelta(seconds=1))


def test_upload_is_queued_and_becomes_ready(world: Any) -> None:
    text = "# Leave\n\nEvery employee has thirty days of leave.\n\n## Illness\n\nCall before nine.\n"
    document = world.upload(text, "leave.md")
    assert (document.status, document.latest_number) == (Status.QUEUED, 1)
    assert world.sent == [("ingest_document", {"job_id": str(world.job(document).pk)})]
    assert world.work() == 1
    document.refresh_from_db()
    version = document.current_version
    assert (document.status, document.stage_progress, document.error) == (Status.READY, 1.0, "")
    assert (version.state, version.number, version.chunk_count) == ("live", 1, version.chunks.count())
    assert version.sha256 == hashlib.sha256(text.encode()).hexdigest()
    stored = selectors.version_text(version)
    assert version.text_sha256 == hashlib.sha256(stored.encode()).hexdigest()
    assert version.characters == len(stored)
    assert world.keys() == world.rows() != set()
    report = world.job(document).report
    assert (report["chunks"], report["withdrawn"]) == (version.chunk_count, 0)
    assert report["seconds"].keys() == {"reading", "indexing"}


def test_passages_carry_the_exact_words_of_the_canonical_text(world: Any) -> None:
    document = world.add("# Leave\n\nEvery employee has thirty days — “paid” leave.\n", "leave.md")
    found = world.search("days of leave")
    assert found
    text = selectors.version_text(document.current_version)
    assert all(text[p.start : p.end] == p.text for p in found)


def test_same_name_makes_a_new_version_and_leaves_nothing_of_the_old_in_the_index(world: Any, sections: Any) -> None:
    first = world.add(sections("badger", 5))
    old = world.keys()
    second = world.add(sections("otter", 3))
    assert second.pk == first.pk
    assert second.current_version.number == second.latest_number == 2
    assert world.keys() == world.rows()
    assert not world.keys() & old
    report = world.job(second).report
    assert (report["chunks"], report["withdrawn"]) == (len(world.keys()), len(old))
    assert DocumentVersion.objects.get(document=second, number=1).state == "archived"
    assert all("otter" in passage.text for passage in world.search("badger rule"))


def test_archived_text_stays_readable_for_old_citations(world: Any) -> None:
    world.add("The first wording.")
    document = world.add("The second wording.")
    assert selectors.version_text(document.versions.get(number=1)).startswith("The first wording.")
    assert [v.number for v in selectors.versions_of(document)] == [2, 1]


def test_same_bytes_are_recognised(world: Any) -> None:
    document = world.add("Unchanged words.")
    again = world.upload("Unchanged words.")
    assert (again.pk, again.latest_number, again.status) == (document.pk, 1, Status.READY)
    assert world.work() == 0


def test_bytes_of_an_older_version_are_a_new_version(world: Any) -> None:
    world.add("The first wording.")
    world.add("The second wording.")
    assert world.add("The first wording.").current_version.number == 3


def test_same_bytes_under_a_new_title_are_found_by_it(world: Any) -> None:
    world.add("Thirty days are granted.", "a.txt", title="Vacation")
    document = world.add("Thirty days are granted.", "a.txt", title="Sabbatical")
    assert (document.title, document.latest_number) == ("Sabbatical", 1)
    assert world.stated() == world.counted()
    assert "sabbat" in str(world.stated()[2])


@pytest.fixture
def before_the_end(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call with what shall happen once, after the next version went live and before its job is over."""

    def arrange(action: Callable[[], object]) -> None:
        real, waiting = ingest.withdraw_others, [action]

        def withdraw(*args: Any) -> int:
            if waiting:
                waiting.pop()()
            return real(*args)

        monkeypatch.setattr(ingest, "withdraw_others", withdraw)

    return arrange


@pytest.mark.parametrize(
    ("moment", "live"),
    [
        ("after_parse", False),
        ("after_batch", False),
        ("before_the_end", False),
        ("after_batch", True),  # nothing is parsed again
        ("before_the_end", True),
    ],
)
def test_title_given_while_the_same_bytes_are_indexed_is_the_one_that_is_searched(
    world: Any, moment: str, live: bool, request: pytest.FixtureRequest
) -> None:
    text = "Thirty days are granted."
    document = world.upload(text, "a.txt", title="Vacation")
    if live:
        world.work()
        services.retry_document(document=document)
    request.getfixturevalue(moment)(lambda: world.upload(text, "a.txt", title="Sabbatical"))
    while world.work():
        pass
    document.refresh_from_db()
    assert (document.title, document.status, document.latest_number) == ("Sabbatical", Status.READY, 1)
    (hit,) = wiring.store().fetch(list(world.keys()), space=world.space, scope=world.scope)
    assert "sabbat" in hit.terms
    assert "vacat" not in hit.terms
    assert world.stated() == world.counted()


def test_title_given_before_the_version_goes_live_costs_no_second_job(
    world: Any, after_batch: Callable[..., None]
) -> None:
    document = world.upload("Thirty days are granted.", "a.txt", title="Vacation")
    after_batch(lambda: world.upload("Thirty days are granted.", "a.txt", title="Sabbatical"))
    assert world.work() == 1
    assert world.work() == 0
    assert IngestionJob.objects.get(document=document).attempts == 1


def test_description_changed_afterwards_is_searched(world: Any) -> None:
    document = world.add("Thirty days are granted.", "a.txt", title="Vacation")
    services.describe_document(document=document, title="Sabbatical\x00", metadata={"kind": "rule"})
    assert world.work() == 1
    document.refresh_from_db()
    assert (document.title, document.metadata) == ("Sabbatical", {"kind": "rule"})
    assert world.stated() == world.counted()
    services.describe_document(document=document, title="Sabbatical", metadata={})
    assert world.work() == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("broken.pdf", b"%PDF-1.7\nnothing of a document follows", "damaged"),
        ("locked.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password"),
        ("picture.gif", b"GIF89a" + bytes(100), "GIF picture"),
        ("blank.md", b"  \n\n \n", "no text"),
        ("wrong.pdf", b"only words", "really plain text"),
    ],
)
def test_unreadable_document_fails_in_words_at_the_first_attempt(
    world: Any, name: str, content: bytes, words: str
) -> None:
    document = world.add(content, name)
    job = world.job(document)
    assert (document.status, document.current_version) == (Status.FAILED, None)
    assert words in document.error
    assert "attempt" not in document.error
    assert (job.state, job.attempts, job.last_error) == (State.FAILED, 1, document.error)
    assert job.finished is not None
    assert document.versions.get().state == "failed"
    assert world.keys() == world.rows() == set()
    assert not document.retry_helps
    with pytest.raises(RetryUseless):
        services.retry_document(document=document)
    services.process_again(document=document)  # an operator's decision
    assert (document.status, document.failed_for_good) == (Status.QUEUED, False)
    world.work()
    document.refresh_from_db()
    assert document.failed_for_good


def test_retry_of_a_failed_document_works(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(wiring, "parser", lambda: (_ for _ in ()).throw(StoreError()))
        patch.setattr("django.conf.settings.JOB_ATTEMPTS", 1)
        document = world.add("Words that can be read.")
    assert document.status == Status.FAILED
    services.retry_document(document=document)
    assert (document.status, document.error) == (Status.QUEUED, "")
    assert document.versions.get().state == "pending"
    world.work()
    document.refresh_from_db()
    assert (document.status, document.latest_number) == (Status.READY, 1)


def test_retry_helps_where_the_settings_were_at_fault(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.upload("Words.")

    def refuse(*_: object, **__: object) -> None:
        raise ModelNotConfigured

    with monkeypatch.context() as patch:
        patch.setattr(indexing, "index", refuse)
        world.work()
    document.refresh_from_db()
    assert (document.status, document.retry_helps) == (Status.FAILED, True)
    services.retry_document(document=document)
    world.work()
    document.refresh_from_db()
    assert (document.status, document.retry_helps) == (Status.READY, False)


def test_new_version_of_an_unreadable_document_takes_the_verdict_away(world: Any) -> None:
    document = world.add("   ", "a.md")
    assert document.failed_for_good
    again = world.upload("Words at last.", "a.md")
    assert (again.pk, again.failed_for_good) == (document.pk, False)
    world.work()
    document.refresh_from_db()
    assert (document.status, document.failed_for_good) == (Status.READY, False)


def test_retry_while_a_job_is_open_adds_no_second(world: Any) -> None:
    document = world.upload("Words.")
    services.retry_document(document=document)
    assert document.jobs.count() == 1


def test_failed_bytes_uploaded_again_are_a_new_attempt(world: Any) -> None:
    world.add(b"%PDF-1.7\nbroken", "a.pdf")
    document = world.add(b"%PDF-1.7\nbroken", "a.pdf")
    assert (document.latest_number, document.status) == (2, Status.FAILED)


def test_new_version_that_fails_leaves_the_old_one_answering(world: Any) -> None:
    world.add("The otter sleeps at noon.")
    document = world.add("   ")
    assert document.status == Status.FAILED
    assert document.current_version.number == 1
    assert world.titles("otter") == {"notes.md"}
    assert world.stated() == world.counted()


def test_temporary_failure_waits_longer_each_time_and_ends_after_the_third(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise StoreError

    monkeypatch.setattr(indexing.stages, "write", busy)
    document = world.upload("Words.")
    for attempt in (1, 2, 3):
        before = timezone.now()
        assert world.work() == 1
        job = world.job(document)
        document.refresh_from_db()
        assert job.attempts == attempt
        assert f"(attempt {attempt} of 3)" in job.last_error
        if attempt < 3:
            assert (job.state, document.status, document.error) == (State.QUEUED, Status.QUEUED, "")
            assert (job.lease_until, job.published) == (None, None)
            waited = timedelta(seconds=2**attempt)
            assert before + waited <= job.not_before <= timezone.now() + waited
            assert world.work() == 0  # not before its time
            forward(job)
    assert (job.state, document.status) == (State.FAILED, Status.FAILED)
    assert document.error.startswith("The search index answered with an error.")


def test_defect_is_named_without_its_details(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(ingest, "keep", defect)
    document = world.add("Words.")
    job = world.job(document)
    assert job.state == State.QUEUED
    assert job.last_error == f"{ingest.UNEXPECTED} (attempt 1 of 3)"


def test_file_whose_worker_dies_each_time_is_given_up(world: Any) -> None:
    document = world.upload("Words that kill.")
    past = timezone.now() - timedelta(seconds=1)
    document.jobs.update(state=State.RUNNING, attempts=3, fence=3, lease_until=past)
    tasks.sweep_jobs()
    document.refresh_from_db()
    assert document.status == Status.FAILED
    assert document.error.startswith("The worker ended before it had opened this file (attempt 3 of 3). Upload")
    assert document.retry_helps
    services.retry_document(document=document)
    world.work()
    document.refresh_from_db()
    assert document.status == Status.READY


def test_other_embedding_model_is_refused_in_words(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add("Words.")
    world.base.refresh_from_db()
    world.base.live_generation.space = "another_model_3_00000000"
    world.base.live_generation.embedding_model = "another-model"
    world.base.live_generation.save()
    document = world.upload("Other words.", "other.md")
    world.work()
    assert "built with the embedding model another-model, which is not here any more." in world.job(document).last_error


def test_repeated_job_of_a_live_version_changes_nothing(world: Any, sections: Callable[..., str]) -> None:
    document = world.add(sections("heron", 4))
    keys, stated = world.keys(), world.stated()
    services.retry_document(document=document)
    world.work()
    assert world.keys() == world.rows() == keys
    assert world.stated() == stated == world.counted()


def test_live_version_stays_findable_while_it_is_processed_again(
    world: Any, sections: Callable[..., str], after_batch: Callable[..., None]
) -> None:
    document = world.add(sections("heron", 3))
    seen: list[int] = []
    after_batch(lambda: seen.append(len(world.search("heron rule"))))
    services.retry_document(document=document)
    world.work()
    assert seen == [3]


def test_busy_index_costs_no_attempt(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(indexing.stages, "write", lambda *_, **__: (_ for _ in ()).throw(StoreBusy()))
        document = world.upload("The heron stands still.")
        for _ in range(5):
            world.work()
            job = world.job(document)
            assert (job.state, job.attempts, job.lease_until, job.published) == (State.QUEUED, 0, None, None)
            assert job.not_before > timezone.now()
            forward(job)
    assert world.work() == 1
    document.refresh_from_db()
    assert document.status == Status.READY


@pytest.mark.parametrize("error", [StoreUnavailable(), ModelUnavailable(), ModelBusy()])
def test_outage_is_waited_for_and_costs_no_attempt(
    world: Any, monkeypatch: pytest.MonkeyPatch, error: KnowledgeError
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(indexing.stages, "write", lambda *_, **__: (_ for _ in ()).throw(error))
        document = world.upload("The heron stands still.")
        for _ in range(5):
            world.work()
            job = world.job(document)
            assert (job.state, job.attempts, job.last_error) == (State.QUEUED, 0, error.message)
            forward(job)
    assert world.work() == 1
    document.refresh_from_db()
    assert document.status == Status.READY


def test_outage_of_more_than_an_hour_is_a_failure(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing.stages, "write", lambda *_, **__: (_ for _ in ()).throw(StoreUnavailable()))
    document = world.upload("The heron stands still.")
    IngestionJob.objects.update(created=timezone.now() - timedelta(minutes=61))
    for _ in range(3):
        world.work()
        forward(world.job(document))
    document.refresh_from_db()
    assert document.status == Status.FAILED
    assert document.error.startswith("Search is unavailable at the moment. (attempt 3 of 3)")


def test_failure_is_written_whole_or_not_at_all(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.upload("   ")

    def lost(*_: object, **__: object) -> None:
        raise ConnectionError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(DocumentVersion.objects, "filter", lost)
        with pytest.raises(ConnectionError):
            world.work()
    assert world.job(document).state == State.RUNNING  # its lease runs out, and the next attempt says why it failed


def test_second_run_keeps_the_text_of_the_version(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The heron stands still.")
    before = document.current_version.text_sha256
    monkeypatch.setattr(wiring, "parser", lambda: pytest.fail("the text of a version never changes"))
    services.retry_document(document=document)
    world.work()
    document.refresh_from_db()
    assert (document.status, document.current_version.text_sha256) == (Status.READY, before)


def test_live_version_survives_a_failed_second_run(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = world.add("The heron stands still.")
    monkeypatch.setattr(indexing.stages, "write", lambda *_, **__: (_ for _ in ()).throw(StoreError()))
    monkeypatch.setattr("django.conf.settings.JOB_ATTEMPTS", 1)
    services.retry_document(document=document)
    world.work()
    document.refresh_from_db()
    assert (document.status, document.current_version.state) == (Status.FAILED, "live")
    assert world.titles("heron") == {"notes.md"}


def test_shorter_second_run_leaves_no_records_of_the_first(
    world: Any, sections: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = world.add(sections("heron", 6))
    real = indexing.stages.chunk
    monkeypatch.setattr(indexing.stages, "chunk", lambda *a, **k: real(*a, **k)[:2])
    services.retry_document(document=document)
    world.work()
    assert len(world.keys()) == 2
    assert world.keys() == world.rows()
    assert world.stated() == world.counted()


def test_more_chunks_than_a_batch_are_all_written(world: Any, sections: Callable[..., str]) -> None:
    document = world.add(sections("wren", 70))
    assert document.current_version.chunk_count == len(world.keys()) == 70


@pytest.mark.parametrize(
    ("filename", "title", "stated", "expected"),
    [
        ("house_rules.pdf", "house_rules.pdf", "", "house rules"),
        ("house_rules.pdf", "house_rules.pdf", "The House", "The House"),
        ("house_rules.pdf", "Given", "The House", "Given"),
    ],
)
def test_title_that_is_searched(filename: str, title: str, stated: str, expected: str) -> None:
    version = DocumentVersion(filename=filename, stated_title=stated, document=Document(title=title))
    assert indexing.search_title(version) == expected


def test_files_of_a_version_lie_under_ids_only(world: Any) -> None:
    document = world.add("Words.", "../../etc/passwd.txt")
    version = document.current_version
    assert version.filename == "passwd.txt"
    assert version.folder == f"{document.tenant_id}/{document.pk}/{version.pk}"
    assert files.read(version, files.ORIGINAL) == b"Words."
