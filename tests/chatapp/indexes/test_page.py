"""The page of indexes: who may do what, what is said, and how refusals read."""

from __future__ import annotations

import html
import json
import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from index_work import FIXED, work_on_indexes

from chatapp.indexes.forms import BuildForm, filled
from chatapp.indexes.presentation import time_words
from knowledge.documents import selectors
from knowledge.documents.indexes import generations
from knowledge.documents.models import IndexGeneration

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

PAGE = "/documents/indexes/"


@pytest.fixture
def visitor(make_user: Any, tenant: Any) -> Any:
    """Call with a role to get a signed-in browser."""

    def make(role: str, *, of: Any = None) -> Client:
        client = Client()
        client.force_login(make_user(f"{role}@{(of or tenant).slug}.test", tenant=of or tenant, role=role))
        return client

    return make


def words(response: Any, status: int = 200) -> str:
    """Return the text of a page without its marks."""
    assert response.status_code == status
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def built(base: Any, chunker: str = FIXED) -> IndexGeneration:
    found = generations.start(base=base, chunker=chunker)
    work_on_indexes()
    found.refresh_from_db()
    return found


def test_an_index_is_built_used_gone_back_from_and_removed(library: Any, visitor: Any) -> None:
    admin = visitor("admin")
    slug = library.base.slug
    said = words(admin.get(PAGE, {"base": slug}))
    assert "In use Embedding model all-MiniLM-L6-v2, 384 dimensions" in said
    assert "Documents 2 of 2" in said
    form = {"base": slug, "embedding": "local", "kind": "fixed", "target": "200", "overlap": "", "more": ""}
    answer = admin.post(f"{PAGE}build", form, follow=True)
    assert answer.redirect_chain == [(f"{PAGE}?base={slug}", 302)]
    assert "The new index is being built. Searches go on with the one in use." in words(answer)
    assert "Waiting to be built" in words(answer)
    assert b"data-busy" in answer.content
    work_on_indexes()
    made = IndexGeneration.objects.get(chunker=FIXED)
    said = words(admin.get(PAGE, {"base": str(library.base.pk)}))
    assert "Ready, not in use" in said
    assert "Use this index" in said
    answer = admin.post(f"{PAGE}switch", {"generation": str(made.pk)}, follow=True)
    assert "This index is in use now." in words(answer)
    assert f"The settings now choose the chunker structural; this knowledge base still uses {FIXED}." in words(answer)
    former = IndexGeneration.objects.exclude(pk=made.pk).get()
    assert "Go back to this index" in words(answer)
    assert "Kept until" in words(answer)
    words(admin.post(f"{PAGE}switch", {"generation": str(former.pk)}, follow=True))
    library.base.refresh_from_db()
    assert library.base.live_generation_id == former.pk
    assert "The index is being removed." in words(
        admin.post(f"{PAGE}remove", {"generation": str(made.pk)}, follow=True)
    )
    work_on_indexes()
    assert list(IndexGeneration.objects.all()) == [former]


def test_refusals_are_said_in_words(library: Any, visitor: Any) -> None:
    admin = visitor("admin")
    form = {"base": library.base.slug, "embedding": "local", "kind": "structural"}
    assert "has this embedding model and this chunker already" in words(admin.post(f"{PAGE}build", form), 409)
    for changes, said in (
        ({"target": "10"}, "Size of a passage: Ensure this value is greater than or equal to 100."),
        ({"target": "200", "overlap": "150"}, "cannot overlap by more than half of its target"),
        ({"more": "colour=red"}, "has no option 'colour'"),
        ({"kind": "magic"}, "How texts are cut: Select a valid choice."),
        ({"embedding": "other/model"}, "Embedding model: Select a valid choice."),
    ):
        text = words(admin.post(f"{PAGE}build", {**form, **changes}), 422)
        assert said in text
    assert IndexGeneration.objects.count() == 1
    live = str(IndexGeneration.objects.get().pk)
    assert "This index is in use." in words(admin.post(f"{PAGE}remove", {"generation": live}, follow=True))
    assert "Nothing failed on this index" in words(admin.post(f"{PAGE}retry", {"generation": live}, follow=True))
    assert "This index is the one in use." in words(admin.post(f"{PAGE}compare", {"generation": live}), 409)


def test_what_failed_is_shown_and_tried_again(
    library: Any, visitor: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOB_ATTEMPTS = 1

    def gone(_: object) -> Any:
        raise FileNotFoundError

    with monkeypatch.context() as patched:
        patched.setattr(selectors, "version_parsed", gone)
        made = built(library.base)
    editor = visitor("editor")
    said = words(editor.get(PAGE, {"base": library.base.slug}))
    assert "Stopped with an error" in said
    assert "is missing. Upload the file again, or delete the document." in said
    assert "Try again" in said
    assert "It is tried again." in words(editor.post(f"{PAGE}retry", {"generation": str(made.pk)}, follow=True))
    work_on_indexes()
    assert "Ready, not in use" in words(editor.get(PAGE, {"base": library.base.slug}))


def test_a_comparison_is_shown_with_its_figures(library: Any, visitor: Any) -> None:
    library.base.refresh_from_db()
    made = built(library.base, "fixed:target=100")
    editor = visitor("editor")
    empty = words(editor.post(f"{PAGE}compare", {"generation": str(made.pk)}), 409)
    assert "Nobody has asked anything here yet." in empty
    rows = [
        {"question": "Where do guests park?", "document": "visitors.md", "quote": "park in the yard"},
        {"question": "How many days of leave?", "document": "leave.md", "quote": "27 days"},
    ]
    file = SimpleUploadedFile("mine.jsonl", "\n".join(map(json.dumps, rows)).encode())
    said = words(editor.post(f"{PAGE}compare", {"generation": str(made.pk), "file": file}))
    assert "The new index finds the right passage first for" in said
    assert "of 2 questions" in said
    assert "By passage, 2 questions" in said
    assert "By document, 2 questions" in said
    broken = SimpleUploadedFile("mine.csv", b"a;b\n1;2\n")
    said = words(editor.post(f"{PAGE}compare", {"generation": str(made.pk), "file": broken}), 422)
    assert "The first line of mine.csv must name the columns question and document." in said
    nothing = SimpleUploadedFile("empty.jsonl", b"")
    assert "has no questions" in words(
        editor.post(f"{PAGE}compare", {"generation": str(made.pk), "file": nothing}), 422
    )
    large = SimpleUploadedFile("large.jsonl", b"x" * (2 * 1024 * 1024 + 1))
    assert "larger than 2 MB" in words(editor.post(f"{PAGE}compare", {"generation": str(made.pk), "file": large}), 422)


def test_editors_build_but_do_not_switch(library: Any, visitor: Any) -> None:
    made = built(library.base)
    editor = visitor("editor")
    said = words(editor.get(PAGE))
    assert "Use this index" not in said
    assert "Remove" not in said
    assert "Compare" in said
    for path in ("switch", "remove"):
        assert editor.post(PAGE + path, {"generation": str(made.pk)}).status_code == 403
    form = {"base": library.base.slug, "embedding": "local", "kind": "recursive", "switch": "on"}
    assert editor.post(f"{PAGE}build", form).status_code == 403
    assert IndexGeneration.objects.count() == 2


@pytest.mark.parametrize("role", ["reader", "member"])
def test_readers_have_no_page(library: Any, visitor: Any, role: str) -> None:
    made = built(library.base)
    reader = visitor(role)
    assert reader.get(PAGE).status_code == 403
    for path in ("build", "switch", "remove", "retry", "compare"):
        given = {"generation": str(made.pk), "base": library.base.slug, "embedding": "local", "kind": "recursive"}
        assert reader.post(PAGE + path, given).status_code == 403
    assert Client().get(PAGE).status_code == 302


def test_a_stranger_finds_nothing(library: Any, visitor: Any, other_tenant: Any) -> None:
    made = built(library.base)
    stranger = visitor("owner", of=other_tenant)
    assert "There is no knowledge base yet." in words(stranger.get(PAGE))
    for base in (library.base.pk, library.base.slug, uuid.uuid4(), "x"):
        assert stranger.get(PAGE, {"base": str(base)}).status_code == 404
        given = {"base": str(base), "embedding": "local", "kind": "recursive"}
        assert stranger.post(f"{PAGE}build", given).status_code == 404
    for path in ("switch", "remove", "retry", "compare"):
        for one in (made.pk, uuid.uuid4(), "x", ""):
            assert stranger.post(PAGE + path, {"generation": str(one)}).status_code == 404
    made.refresh_from_db()
    assert made.state == IndexGeneration.State.READY


def ingest_more(library: Any, filename: str) -> None:
    from django.core.files.base import ContentFile

    from knowledge.documents import services
    from knowledge.documents.ingest import run_ingest
    from knowledge.tenants.access import system_actor

    document = services.upload_document(
        actor=system_actor(library.tenant), base=library.base, upload=ContentFile(b"Lifts are checked in May."),
        filename=filename,
    )  # fmt: skip
    run_ingest(job_id=document.jobs.get().pk)


def test_queries_do_not_grow_with_documents(library: Any, visitor: Any) -> None:
    built(library.base)
    editor = visitor("editor")
    editor.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        editor.get(PAGE)
    for number in range(4):
        ingest_more(library, f"more-{number}.md")
    with CaptureQueriesContext(connection) as many:
        editor.get(PAGE)
    assert len(many) == len(few)


def test_the_form_says_what_the_settings_choose(settings: Any) -> None:
    settings.CHUNKER = "fixed:target=600,overlap=90,header=false"
    form = filled()
    assert {name: form[name].value() for name in ("embedding", "kind", "target", "overlap", "more")} == {
        "embedding": "local", "kind": "fixed", "target": "600", "overlap": "90", "more": "header=false",
    }  # fmt: skip
    given = {"embedding": "local", "kind": "fixed", "target": "600", "overlap": "90", "more": " header=false,"}
    sent = BuildForm(given)
    assert sent.is_valid()
    assert sent.chunker == settings.CHUNKER


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(59, "less than a minute"), (60, "about 1 minute"), (61, "about 2 minutes"), (5_341, "about 2 hours"), (9_100, "about 3 hours")],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(seconds: int, said: str) -> None:
    assert time_words(seconds) == said
