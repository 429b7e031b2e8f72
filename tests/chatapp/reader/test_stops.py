"""The reader as it is opened from an answer: its citations, and the way from one to the next."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from chatapp.conversations.models import (
    AnswerRun,
    Citation,
    ContextPassage,
    Conversation,
    Message,
    PassageSnapshot,
)
from chatapp.conversations.selectors import run_detail
from chatapp.conversations.snapshots import address_of
from knowledge.documents import ingest
from knowledge.documents.models import Document, DocumentVersion, KnowledgeBase
from knowledge.documents.selectors import media_types
from knowledge.tenants.access import actor_for
from knowledge.types import Block, BlockKind, CharBoxes, Page, ParsedDocument

pytestmark = pytest.mark.django_db

TEXT = "The rent is 1,200 euros.\n\nHeating costs 90 euros.\n\nPets are allowed."
RENT, HEATING, PETS = "The rent is 1,200 euros.", "Heating costs 90 euros.", "Pets are allowed."


def at(words: str) -> tuple[int, int]:
    return TEXT.index(words), TEXT.index(words) + len(words)


def parsed(media_type: str, *, without_box: str = "") -> ParsedDocument:
    """Three paragraphs, the last one on a second page, with a box for each character but those of one paragraph."""
    blocks, boxes = [], CharBoxes(page=np.zeros(len(TEXT), np.uint16), xyxy=np.zeros((len(TEXT), 4), np.float32))
    for ordinal, words in enumerate((RENT, HEATING, PETS)):
        start, end = at(words)
        page = 1 + ordinal // 2
        blocks.append(
            Block(ordinal=ordinal, kind=BlockKind.PARAGRAPH, start=start, end=end, page_first=page, page_last=page)
        )
        if words != without_box:
            boxes.page[start:end] = page
            top = 700 - 20 * ordinal  # lines apart from each other
            boxes.xyxy[start:end] = [(5 * n, top, 5 * n + 5, top + 10) for n in range(len(words))]
    second = at(PETS)[0]
    pages = (
        Page(number=1, start=0, end=second, width=600, height=800),
        Page(number=2, start=second, end=len(TEXT), width=600, height=800),
    )
    return ParsedDocument(
        text=TEXT, blocks=tuple(blocks), parser="x", parser_version="1", media_type=media_type, pages=pages, boxes=boxes
    )


@pytest.fixture
def make_document(tenant: Any, settings: Any, tmp_path: Any) -> Callable[..., Document]:
    settings.STATIC_ROOT = tmp_path
    base = KnowledgeBase.objects.create(tenant=tenant, name="Leases", slug="leases")

    def make(name: str, *, media_type: str = "application/pdf", without_box: str = "") -> Document:
        row = Document.objects.create(
            tenant=tenant, knowledge_base=base, name=name, title=name, status=Document.Status.READY
        )
        version = DocumentVersion.objects.create(document=row, number=1, filename=name, size=10, sha256="1" * 64)
        ingest.keep(version, parsed(media_type, without_box=without_box))
        row.current_version = version
        row.save()
        return row

    return make


@pytest.fixture
def make_run(tenant: Any) -> Callable[..., AnswerRun]:
    """Call with a user and (number, document, words) triples: an answer that cites them."""

    def make(user: Any, *cited: tuple[int, Document, str]) -> AnswerRun:
        conversation = Conversation.objects.create(tenant=tenant, user=user, title="Rent")
        question = Message.objects.create(conversation=conversation, role="user", text="?")
        answer = Message.objects.create(conversation=conversation, role="assistant", text="!", parent=question)
        run = AnswerRun.objects.create(
            tenant=tenant, conversation=conversation, question=question, answer=answer, heartbeat=timezone.now()
        )
        for index, (number, document, words) in enumerate(cited):
            snapshot, _ = PassageSnapshot.objects.get_or_create(
                tenant=tenant, document_ref=document.pk, address=address_of(document.pk, TEXT), defaults={"text": TEXT}
            )
            start, end = at(words)
            passage = ContextPassage.objects.create(
                run=run, label=f"S{index + 1}", key=uuid.uuid4(), document=document, document_ref=document.pk,
                version=1, title=document.title, start=0, end=len(TEXT), snapshot=snapshot, score=1,
            )  # fmt: skip
            Citation.objects.create(
                run=run, passage=passage, number=number, sentence=index, start=start, end=end, quote=words
            )
        return run

    return make


@pytest.fixture
def page(client: Client, member: Any) -> Callable[[str], str]:
    client.force_login(member)

    def get(path: str) -> str:
        response = client.get(path)
        assert response.status_code == 200
        return str(response.content.decode())

    return get


def data_of(html: str) -> Any:
    return json.loads(re.findall(r'id="reader-data" type="application/json">(.*?)</script>', html)[0])


def link(html: str, which: str) -> str | None:
    """The address behind "next" or "previous" citation, or None when it leads nowhere."""
    tag = re.findall(rf'<a [^>]*data-stop="{which}"[^>]*>', html)[0]
    found = re.findall(r'href="([^"]*)"', tag)
    assert found or 'aria-disabled="true"' in tag
    return found[0].replace("&amp;", "&") if found else None


def opened(document: Document, words: str, **more: Any) -> str:
    query = "&".join(f"{name}={value}" for name, value in more.items())
    start, end = at(words)
    return f"/documents/{document.pk}/v/1/?{query}&start={start}&end={end}"


def test_the_citations_of_an_answer_are_stepped_through_across_documents(
    page: Callable[[str], str], member: Any, make_document: Any, make_run: Any
) -> None:
    lease, rules = make_document("lease.pdf"), make_document("rules.pdf")
    run = make_run(member, (2, rules, PETS), (1, lease, RENT), (1, lease, HEATING), (1, lease, RENT))
    html = page(opened(lease, RENT, run=run.pk, citation=1))
    assert "Citation 1 of 3" in html  # the same words twice are one place
    assert link(html, "before") is None
    second = link(html, "after")
    assert second is not None
    html = page(second.removesuffix("#match"))
    assert "Citation 2 of 3" in html
    third = link(html, "after")
    assert third is not None
    assert third.startswith(f"/documents/{rules.pk}/v/1/?run={run.pk}&citation=2")
    assert 'title="In rules.pdf"' in html
    html = page(third.removesuffix("#match"))
    assert "Citation 3 of 3" in html
    assert link(html, "after") is None
    assert link(html, "before") == second


def test_the_current_citation_is_lit_strongly_and_the_others_faintly(
    page: Callable[[str], str], member: Any, make_document: Any, make_run: Any
) -> None:
    lease = make_document("lease.pdf")
    run = make_run(member, (1, lease, RENT), (2, lease, HEATING))
    html = page(opened(lease, HEATING, run=run.pk, citation=2))
    assert f'<mark id="match" tabindex="-1">{HEATING}</mark>' in html
    assert f'<mark class="faint">{RENT}</mark>' in html
    data = data_of(html)
    assert (data["view"], data["index"], data["count"], data["page"]) == ("pages", 1, 2, 1)
    assert [stop["rects"] for stop in data["stops"]] == [
        [[1, 0.0, 700.0, 5.0 * len(RENT), 710.0]],
        [[1, 0.0, 680.0, 5.0 * len(HEATING), 690.0]],
    ]
    assert data["sizes"] == [[600.0, 800.0]] * 2
    assert data["file"] == f"/documents/{lease.pk}/v/1/file"


def test_a_number_alone_opens_its_first_place(
    page: Callable[[str], str], member: Any, make_document: Any, make_run: Any
) -> None:
    lease = make_document("lease.pdf")
    run = make_run(member, (1, lease, RENT), (2, lease, PETS))
    html = page(f"/documents/{lease.pk}/v/1/?run={run.pk}&citation=2")
    assert f'<mark id="match" tabindex="-1">{PETS}</mark>' in html
    assert data_of(html)["page"] == 2


@pytest.mark.parametrize("whose", ["somebody else's", "missing", "nonsense"])
def test_an_answer_that_is_not_yours_adds_nothing_to_the_page(
    page: Callable[[str], str], make_document: Any, make_run: Any, make_user: Any, tenant: Any, whose: str
) -> None:
    lease = make_document("lease.pdf")
    other = make_run(make_user("other@acme.test", tenant=tenant), (1, lease, RENT), (2, lease, HEATING))
    run = {"somebody else's": other.pk, "missing": uuid.uuid4(), "nonsense": "x' OR 1"}[whose]
    html = page(opened(lease, PETS, run=run, citation=1))
    assert f'<mark id="match" tabindex="-1">{PETS}</mark>' in html
    assert html.count("<mark") == 1
    assert "data-stop=" not in html
    assert str(run) not in html


def test_a_citation_of_a_deleted_document_is_no_stop(
    page: Callable[[str], str], member: Any, make_document: Any, make_run: Any
) -> None:
    lease, gone = make_document("lease.pdf"), make_document("gone.pdf")
    run = make_run(member, (1, gone, RENT), (2, lease, HEATING))
    ContextPassage.objects.filter(document=gone).update(document=None)
    assert "Citation 1 of 1" in page(opened(lease, HEATING, run=run.pk, citation=2))


def test_words_without_a_sure_place_are_said_to_have_none_and_lit_only_in_the_text(
    page: Callable[[str], str], make_document: Any
) -> None:
    lease = make_document("lease.pdf", without_box=HEATING)
    html = page(opened(lease, HEATING))
    (stop,) = data_of(html)["stops"]
    assert (stop["exact"], stop["rects"], stop["page"]) == (False, [], 1)
    note = re.findall(r"<p [^>]*data-place-unknown[^>]*>", html)[0]
    assert "hidden" not in note
    assert "The place of these words on the page is not known" in html
    assert f'<mark id="match" tabindex="-1">{HEATING}</mark>' in html
    sure = page(opened(lease, RENT))
    assert "hidden" in re.findall(r"<p [^>]*data-place-unknown[^>]*>", sure)[0]


def test_boxes_are_read_only_where_something_is_lit(
    page: Callable[[str], str], make_document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from knowledge.documents import selectors

    lease = make_document("lease.pdf")
    read: list[DocumentVersion] = []
    monkeypatch.setattr(selectors, "version_boxes", read.append)
    page(f"/documents/{lease.pk}/")
    page(opened(lease, RENT, view="text"))
    assert read == []
    page(opened(lease, RENT))
    assert len(read) == 1


def test_a_range_that_is_no_citation_is_lit_too(
    page: Callable[[str], str], member: Any, make_document: Any, make_run: Any
) -> None:
    lease = make_document("lease.pdf")
    run = make_run(member, (1, lease, RENT))
    html = page(opened(lease, PETS, run=run.pk))
    data = data_of(html)
    assert (data["index"], data["count"]) == (1, 1)
    assert data["stops"][1]["rects"]
    assert "Citation – of 1" in html
    assert link(html, "after") is not None


def test_the_text_of_a_pdf_is_one_switch_away(page: Callable[[str], str], make_document: Any) -> None:
    lease = make_document("lease.pdf")
    html = page(opened(lease, RENT, view="text"))
    assert 'data-view="text"' in html
    assert "data-pages " not in html
    assert data_of(html)["sizes"] == []
    html = page(opened(lease, RENT))
    assert 'data-view="pages"' in html
    assert "view=text" in re.findall(r'<a href="([^"]*)"[^>]*data-view-link="text"', html)[0]
    assert RENT in html  # what is read where scripts do not run


def test_other_formats_have_no_pages_to_draw(page: Callable[[str], str], make_document: Any) -> None:
    html = page(opened(make_document("notes.html", media_type="text/html"), RENT))
    assert 'data-view="text"' in html
    assert "data-view-link" not in html


def test_a_page_is_opened_by_its_number(page: Callable[[str], str], make_document: Any) -> None:
    lease = make_document("lease.pdf")
    html = page(f"/documents/{lease.pk}/v/1/?view=text&page=2")
    article = html[html.index("<article") :]
    assert PETS in article
    assert RENT not in article
    data = data_of(page(f"/documents/{lease.pk}/v/1/?page=2"))
    assert (data["page"], data["page_asked"]) == (2, True)
    for odd in ("0", "3", "-1", "x", "9" * 20):
        assert not data_of(page(f"/documents/{lease.pk}/v/1/?page={odd}"))["page_asked"]


def test_pages_of_a_presentation_are_slides(page: Callable[[str], str], make_document: Any) -> None:
    kind = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    html = page(opened(make_document("talk.pptx", media_type=kind), PETS))
    assert '<p class="page-break" id="page-2">Slide 2</p>' in html
    assert "<span>2 slides</span>" in html
    assert "Page 2" not in html


def test_the_trace_of_an_answer_calls_a_slide_a_slide(
    member: Any, make_document: Any, make_run: Any, django_assert_num_queries: Any
) -> None:
    kind = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    talk, lease = make_document("talk.pptx", media_type=kind), make_document("lease.pdf")
    run = make_run(member, (1, talk, RENT), (2, lease, RENT), (3, talk, HEATING))
    detail = run_detail(run, actor=actor_for(user_id=member.pk))
    assert [citation["page_kind"] for citation in detail["citations"]] == ["slide", "page", "slide"]
    assert [passage["page_kind"] for passage in detail["passages"]] == ["slide", "page", "slide"]
    with django_assert_num_queries(1):
        found = media_types({(str(talk.pk), 1), (str(talk.pk), 2), (str(lease.pk), 1)})
    assert found == {(str(talk.pk), 1): kind, (str(lease.pk), 1): lease.current_version.media_type}
    assert media_types(set()) == {}


def test_a_search_lists_its_places_and_opens_the_first(page: Callable[[str], str], make_document: Any) -> None:
    lease = make_document("lease.pdf")
    html = page(f"/documents/{lease.pk}/v/1/?find=EUROS")
    assert "2 places" in html
    assert "Place 1 of 2" in html
    assert '1,200 <mark id="match" tabindex="-1">euros</mark>.' in html
    assert '<mark class="faint">euros</mark>' in html
    results = re.findall(r'<a href="([^"]*)"[^>]*data-result', html)
    html = page(results[1].replace("&amp;", "&").removesuffix("#match"))
    assert '90 <mark id="match" tabindex="-1">euros</mark>.' in html
    assert "Place 2 of 2" in html


def test_a_search_without_result_says_so_and_escapes_what_was_asked(
    page: Callable[[str], str], make_document: Any
) -> None:
    html = page(f"/documents/{make_document('lease.pdf').pk}/v/1/?find=<b>.*%5B")
    assert "“&lt;b&gt;.*[” is not in this document." in html
    assert "data-stop=" not in html


def test_the_way_back_from_a_search_leads_to_the_citations(
    page: Callable[[str], str], member: Any, make_document: Any, make_run: Any
) -> None:
    lease = make_document("lease.pdf")
    run = make_run(member, (1, lease, RENT))
    html = page(f"/documents/{lease.pk}/v/1/?run={run.pk}&citation=1&find=pets")
    clear = re.findall(r'<a href="([^"]*)">Clear</a>', html)[0].replace("&amp;", "&")
    assert "Citation 1 of 1" in page(clear)


def test_the_newest_version_is_opened_at_the_same_words(
    page: Callable[[str], str], client: Client, make_document: Any
) -> None:
    lease = make_document("lease.pdf")
    newer = DocumentVersion.objects.create(document=lease, number=2, filename="lease.pdf", size=9, sha256="2" * 64)
    text = "Preface. " + TEXT.replace(PETS, "No pets.")
    block = Block(ordinal=0, kind=BlockKind.PARAGRAPH, start=0, end=len(text))
    ingest.keep(
        newer, ParsedDocument(text=text, blocks=(block,), parser="x", parser_version="1", media_type="application/pdf")
    )
    lease.current_version = newer
    lease.save()
    html = page(opened(lease, HEATING))
    start = text.index(HEATING)
    assert f'href="/documents/{lease.pk}/?start={start}&amp;end={start + len(HEATING)}#match"' in html
    assert "open version 2 at the same words" in html
    assert "in which the marked words do not stand" in page(opened(lease, PETS))


def test_an_answer_with_many_citations_asks_the_database_no_more(
    page: Callable[[str], str], member: Any, make_document: Any, make_run: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    lease = make_document("lease.pdf")
    short, long = make_run(member, (1, lease, RENT)), make_run(member, *[(n, lease, RENT) for n in range(1, 40)])
    with CaptureQueriesContext(connection) as few:
        page(opened(lease, RENT, run=short.pk, citation=1))
    with CaptureQueriesContext(connection) as many:
        page(opened(lease, RENT, run=long.pk, citation=1))
    assert len(few) == len(many)
