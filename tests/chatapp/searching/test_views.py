from __future__ import annotations

import html
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.test import AsyncClient, Client

from chatapp.conversations.models import Assistant
from knowledge import llm
from knowledge.documents import searching
from knowledge.documents.services import create_knowledge_base, keep_answer_curve
from knowledge.errors import StoreUnavailable
from knowledge.retrieval.calibration import Curve

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "When must visitors register at the desk?"


def hrefs(page: str, *, within: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(rf'href="({within}[^"]*)"', page)]


def columns(page: Any, **parameters: Any) -> list[Any]:
    return list(page.context(**parameters)["columns"])


def test_the_empty_page_asks_nothing(page: Any, words: Any) -> None:
    shown = page.get()
    assert 'aria-current="page">Search</a>' in shown
    assert page.context()["columns"] == []
    assert "Why did it find that?" in words(shown)


def test_a_hit_is_shown_with_its_place_and_its_words_marked(page: Any, library: Any, words: Any) -> None:
    shown = page.get(q=QUESTION)
    assert f'<strong dir="auto">{library.documents[0].title}</strong>' in shown
    for word in ("Visitors", "register", "desk"):
        assert f"<mark>{word}</mark>" in shown
    assert "<mark>the</mark>" not in shown
    (column,) = columns(page, q=QUESTION)
    hit = column.hits[0]
    assert "register at the front desk before 18:00" in "".join(piece.text for piece in hit.text)
    assert [score.label for score in hit.scores][:3] == ["Meaning", "Words", "Both"]
    assert hit.scores[0].rank == hit.scores[1].rank == 1
    assert column.query == QUESTION
    assert "Rerank" in words(shown)
    assert "ms" in words(shown)


def test_a_hit_leads_to_its_words_in_the_reader(page: Any, library: Any) -> None:
    (column,) = columns(page, q=QUESTION)
    hit = column.hits[0]
    (first, *_) = hrefs(page.get(q=QUESTION), within="/documents/[0-9a-f]")
    assert first == hit.link
    query = parse_qs(urlsplit(first).query)
    assert (query["start"], query["end"]) == ([str(hit.start)], [str(hit.end)])
    opened = page.client.get(first.split("#")[0])
    assert opened.status_code == 200
    assert 'id="match"' in opened.content.decode()


def test_what_was_dropped_is_listed_with_the_reason(page: Any, words: Any) -> None:
    (column,) = columns(page, q=QUESTION, limit=1)
    reasons = {group.reason for group in column.dropped}
    assert "Beyond the number of passages asked for" in reasons or "Scores below the lowest score" in reasons
    assert sum(group.count for group in column.dropped) + len(column.hits) == column.candidates
    assert "Left out" in words(page.get(q=QUESTION, limit=1))


def test_earlier_turns_count_and_are_shown(page: Any) -> None:
    alone, after = (
        columns(page, q="And where may they park?", **more)[0]
        for more in ({}, {"previous": "What are the rules for visitors?", "answer": "They register at the desk."})
    )
    assert after.query == "And where may they park? (following: What are the rules for visitors?)"
    weights = {term.text: term.weight for term in after.terms}
    assert weights["visitor"] == 0.5
    assert "visitor" not in {term.text for term in alone.terms}


def test_an_answer_without_its_question_is_refused(page: Any, words: Any) -> None:
    shown = words(page.get(q="And where?", answer="At the desk."))
    assert "An earlier answer counts only with the question it was given to." in shown
    assert columns(page, q="And where?", answer="At the desk.") == []


def test_only_the_chosen_knowledge_bases_are_searched(page: Any, library: Any, owner: Any, words: Any) -> None:
    from knowledge.tenants.access import system_actor

    empty = create_knowledge_base(actor=system_actor(library.tenant), name="Nothing yet")
    assert columns(page, q=QUESTION, base=str(library.base.pk))[0].hits
    (column,) = columns(page, q=QUESTION, base=str(empty.pk))
    assert (column.hits, column.chunks) == ([], 0)
    assert "Nothing is indexed in what was searched yet." in words(page.get(q=QUESTION, base=str(empty.pk)))


def test_a_tenant_without_anything_is_told_so(owner: Any, window: Any, words: Any, redis_server: Any) -> None:
    assert "There is no knowledge base to search yet." in words(window(owner).get(q=QUESTION))


def test_nothing_found_is_said(page: Any, words: Any) -> None:
    shown = page.get(q="zyxwvut qqqq", floor="0.9")
    assert "Nothing was found that scores high enough." in words(shown)


def test_hostile_text_stays_text(page: Any, library: Any, ingest_text: Any) -> None:
    attack = '<script>alert(1)</script><img src=x onerror="alert(2)"> rhubarb & "quoted" {{ settings.SECRET_KEY }}'
    ingest_text("<b>evil</b>.md", f"# <i>Heading</i>\n\n{attack}\n")
    shown = page.get(q="rhubarb <script>alert(3)</script>")
    inside = shown[shown.index("<main") : shown.index("</main>")]
    assert "<script" not in inside
    assert "<img" not in inside
    assert "onerror=" not in re.sub(r"&[a-z#0-9]+;", "", re.sub(r">[^<]*<", "><", inside))
    assert "<mark>rhubarb</mark>" in inside
    assert settings.SECRET_KEY not in shown


def test_a_question_that_is_too_long_is_refused_as_in_chat(page: Any, words: Any) -> None:
    question = "why " * (settings.MAX_QUESTION_BYTES // 4 + 1)
    assert "The question is longer than 8 kB." in words(page.get(q=question))
    assert columns(page, q=question) == []
    assert len(columns(page, q="why visitors " * 600)) == 1, "a long one that fits is searched"


@pytest.mark.parametrize(
    "given", [{"limit": "0"}, {"limit": "51"}, {"limit": "many"}, {"previous": "x" * 4001}, {"q": "\x00a"}]
)
def test_what_makes_no_sense_is_refused_in_words(given: dict[str, str], page: Any) -> None:
    shown = page.get(**{"q": QUESTION, **given})
    assert 'class="field-error"' in shown
    assert columns(page, **{"q": QUESTION, **given}) == []


def test_a_failing_search_is_said_in_words(page: Any, monkeypatch: Any, words: Any) -> None:
    def down(*args: Any, **values: Any) -> Any:
        raise StoreUnavailable("The search index cannot be reached.")

    monkeypatch.setattr("chatapp.searching.views.search_documents", down)
    assert "The search index cannot be reached." in words(page.get(q=QUESTION))


# --- settings, side by side


def test_changed_settings_stand_beside_the_saved_ones(page: Any) -> None:
    saved, changed = columns(page, q=QUESTION, keyword_weight="1", rerank="0")
    assert (saved.title, changed.title) == ("Saved settings", "Changed settings")
    assert "Reranker" not in {score.label for hit in changed.hits for score in hit.scores}
    assert changed.hits[0].score.value != saved.hits[0].score.value
    assert all(hit.moved in ("same", "up", "down", "only") for hit in saved.hits + changed.hits)


def test_settings_as_they_are_saved_are_no_change(page: Any) -> None:
    context = page.context(q=QUESTION, keyword_weight="0.5", rerank="50", floor="", rerank_weight="")
    assert (context["asked"].changed, len(context["columns"])) == ({}, 1)


def test_a_hit_only_one_column_has_is_named(page: Any, words: Any) -> None:
    saved, changed = columns(page, q="visitors parking leave", floor="0.5")
    left = {hit.key for hit in saved.hits} - {hit.key for hit in changed.hits}
    assert left
    assert {hit.key for hit in saved.hits if hit.moved == "only"} == left
    assert "only here" in words(page.get(q="visitors parking leave", floor="0.5"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("keyword_weight", "1.5"), ("keyword_weight", "nan"), ("rerank", "2.5"), ("candidates", "1000000"), ("floor", "x"), ("rerank_weight", "inf")],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_in_words(name: str, value: str, page: Any, words: Any) -> None:
    context = page.context(q=QUESTION, **{name: value})
    assert list(context["asked"].wrong) == [name]
    assert context["columns"] == []
    assert "must be a" in words(page.get(q=QUESTION, **{name: value}))


# --- saving


def test_saved_settings_are_what_the_assistant_uses(page: Any, assistant: Any, words: Any) -> None:
    shown = page.get(q=QUESTION, keyword_weight="0.8", rerank="0")
    form = shown[shown.index('class="search-save"') :].split("</form>")[0]
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))
    fields = {name: html.unescape(value) for name, value in fields.items()}
    done = page.client.post("/search/save", fields)
    assert done.status_code == 302
    assert parse_qs(urlsplit(done.url).query) == {"q": [QUESTION]}
    assistant.refresh_from_db()
    assert assistant.retrieval == {"keyword_weight": 0.8, "rerank": 0}
    followed = page.client.get(done.url)
    assert "searches with these settings from the next question on" in words(followed.content.decode())
    assert followed.context["asked"].saved_profile.keyword_weight == 0.8
    assert len(followed.context["columns"]) == 1


def test_what_is_saved_never_leads_elsewhere(page: Any) -> None:
    done = page.client.post("/search/save", {"assistant": "default", "here": "//evil.example/?q=1&next=//evil.example"})
    assert done.status_code == 302
    assert urlsplit(done.url).netloc == ""
    assert urlsplit(done.url).path == "/search/"


@pytest.mark.parametrize("value", ["7", "x", "nan"])
def test_a_refused_setting_changes_nothing(value: str, page: Any, assistant: Any, words: Any) -> None:
    done = page.client.post("/search/save", {"assistant": "default", "keyword_weight": value}, follow=True)
    assert "must be a number from 0 to 1" in words(done.content.decode())
    assistant.refresh_from_db()
    assert assistant.retrieval == {}


def test_who_may_not_edit_may_try_but_not_save(member: Any, assistant: Any, window: Any) -> None:
    theirs = window(member)
    shown = theirs.get(q=QUESTION, keyword_weight="0.8")
    assert "Changed settings" in shown
    assert "search-save" not in shown
    assert theirs.client.post("/search/save", {"assistant": "default", "keyword_weight": "0.8"}).status_code == 403
    assert Assistant.objects.get().retrieval == {}


def test_an_editor_may_save(make_user: Any, tenant: Any, assistant: Any, window: Any) -> None:
    editor = window(make_user("editor@acme.test", tenant=tenant, role="editor"))
    assert editor.client.post("/search/save", {"assistant": "default", "floor": "0.2"}).status_code == 302
    assert Assistant.objects.get().retrieval == {"floor": 0.2}


def test_saving_needs_a_post_with_the_token(owner: Any, assistant: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    assert strict.post("/search/save", {"assistant": "default", "floor": "0.2"}).status_code == 403
    assert strict.get("/search/save").status_code == 405
    assert Assistant.objects.get().retrieval == {}


# --- who may see what


def test_strangers_are_sent_to_the_sign_in(assistant: Any) -> None:
    for method, path in (("get", "/search/"), ("post", "/search/save")):
        response = getattr(Client(), method)(path)
        assert response.status_code == 302
        assert response.url.startswith("/accounts/login/")


@pytest.mark.parametrize("parameter", ["base", "assistant"])
def test_what_belongs_to_another_tenant_does_not_exist(
    parameter: str, page: Any, other_tenant: Any, make_library: Any, use_model: Any, words: Any
) -> None:
    library = make_library(other_tenant, name="Secrets")
    foreign = use_model(other_tenant, "scripted-ok", bases=[library.base])
    foreign.slug = "theirs"
    foreign.save()
    hidden = str(library.base.pk) if parameter == "base" else "theirs"
    answers = [words(page.get(404, q=QUESTION, **{parameter: one})) for one in (hidden, str(uuid.uuid4()))]
    assert answers[0] == answers[1]
    assert page.client.post("/search/save", {"assistant": "theirs", "floor": "0.3"}).status_code == 404
    foreign.refresh_from_db()
    assert foreign.retrieval == {}


def test_a_foreign_knowledge_base_is_never_searched(page: Any, other_tenant: Any, make_library: Any) -> None:
    make_library(other_tenant, name="Secrets")
    shown = page.get(q=QUESTION)
    assert "Secrets" not in shown
    (column,) = columns(page, q=QUESTION)
    assert column.chunks == columns(page, q=QUESTION, base="house-rules")[0].chunks


def test_the_search_is_the_one_of_the_chat(page: Any, library: Any, owner: Any) -> None:
    from chatapp.conversations.services import Ask, start_run
    from knowledge.documents.access import scope_of
    from knowledge.tenants.access import actor_for

    actor = actor_for(user_id=owner.pk)
    assert actor is not None
    started = start_run(actor=actor, ask=Ask(text=QUESTION))
    found = searching.search(started.query, scope=started.scope, profile=started.profile)
    (column,) = columns(page, q=QUESTION)
    assert [hit.key for hit in column.hits] == [passage.key for passage in found.passages]
    assert started.scope == scope_of(actor=actor, bases=[library.base])


@pytest.mark.asyncio(loop_scope="session")
async def test_a_follow_up_is_shown_as_the_model_wrote_it(
    owner: Any, library: Any, use_model: Any, scripted_model: Any, words: Any, rows: Any
) -> None:
    """Asked from a loop that lives on, as the server's does: connections to the model are kept between requests."""
    await rows(use_model, library.tenant, "scripted-custom", bases=[library.base])
    client = AsyncClient()
    await client.aforce_login(owner)
    scripted_model.script(["Until when must visitors register at the desk?"])
    asked = {"q": "Until when?", "previous": QUESTION}
    (column,) = (await client.get("/search/", asked)).context["columns"]
    assert column.query == "Until when must visitors register at the desk? (asked: Until when?)"
    response = await client.get("/search/", {**asked, "condense": "0"})
    await llm.close_clients()
    before, after = response.context["columns"]
    assert before.query == column.query
    assert after.query == f"Until when? (following: {QUESTION})"
    assert "Rewrite follow-ups off instead of on" in words(response.content.decode())


def test_a_first_question_is_not_shown_to_the_model(
    page: Any, library: Any, use_model: Any, scripted_model: Any
) -> None:
    use_model(library.tenant, "scripted-ok", bases=[library.base])
    assert len(columns(page, q=QUESTION)) == 1
    assert scripted_model.calls["total"] == 0


def test_parts_that_were_searched_are_named(page: Any, words: Any) -> None:
    question = "When must visitors register? Where may guests park?"
    shown = page.get(q=question, decompose="1")
    assert "And for" in words(shown)
    saved, apart = columns(page, q=question, decompose="1")
    assert saved.also == ()
    assert apart.also == ("When must visitors register?", "Where may guests park?")
    assert len(apart.hits) <= 8


def test_passages_grow_by_their_neighbours_where_that_is_tried(page: Any, ingest_text: Any) -> None:
    rule = (
        "Lockers of floor {} are emptied by the night shift every second week of the month, and nobody else may do so. "
    )
    ingest_text("lockers.txt", "\n\n".join(rule.format(floor) * 6 for floor in range(1, 9)))
    saved, tried = columns(page, q="Who empties the lockers of floor 4?", neighbours="2100", limit="2")
    lengths = [[sum(len(piece.text) for piece in hit.text) for hit in column.hits] for column in (saved, tried)]
    assert max(lengths[0]) <= 1_350 < max(lengths[1]) <= 2_100


def test_the_chance_of_an_answer_is_shown_with_the_threshold(page: Any, words: Any) -> None:
    (column,) = columns(page, q=QUESTION)
    assert column.chance >= 50
    assert f"Chance that the answer is here {column.chance} % (nothing is returned below 5 %)" in words(
        page.get(q=QUESTION)
    )


def test_the_chance_of_a_calibrated_base_is_shown_with_what_it_was_before(page: Any, words: Any, library: Any) -> None:
    (before,) = columns(page, q=QUESTION)
    library.base.refresh_from_db()
    keep_answer_curve(base=library.base, curve=Curve(slope=1.0, intercept=-1.0))
    (column,) = columns(page, q=QUESTION)
    assert column.chance < column.uncalibrated == before.chance
    assert f"({before.chance} % before the calibration of this knowledge base; nothing is returned below 5 %)" in words(
        page.get(q=QUESTION)
    )


def test_where_nothing_is_returned_the_nearest_passages_are_shown(page: Any, words: Any) -> None:
    (column,) = columns(page, q=QUESTION, least_chance="0.9", floor="0.9")[1:]
    assert column.hits == []
    assert "visitors" in "".join(piece.text for piece in column.related[0].text).lower()
    shown = words(page.get(q=QUESTION, least_chance="0.9", floor="0.9"))
    assert "Nearest passages" in shown
    assert "Nothing was found that scores high enough." in shown
    (_, unlikely) = columns(page, q=QUESTION, least_chance="0.9", keyword_weight="0.6")
    assert unlikely.hits == []
    assert unlikely.dropped[0].reason == "The chance of an answer is below the least one asked for"
    shown = words(page.get(q=QUESTION, least_chance="0.9", keyword_weight="0.6"))
    assert "An answer is too unlikely in what was found." in shown


def test_documents_that_contradict_each_other_name_each_other(page: Any, words: Any, ingest_text: Any) -> None:
    rule = (
        "Every intern is given a locker in hall {} of the old foundry, and the key is handed out by the warden at noon."
    )
    ingest_text("lockers.txt", rule.format("7"))
    ingest_text("lockers-new.txt", rule.format("9"))
    ingest_text("lockers-copy.txt", rule.format("9"))
    question = "In which hall does an intern get a locker?"
    (column,) = columns(page, q=question)
    first, second = column.hits[:2]
    assert [place for place, _ in first.variants] == [2]
    assert {first.copies, second.copies} == {0, 1}
    shown = words(page.get(q=question))
    assert "Nearly the same as passage 2, but" in shown
    assert "1 other passage says the same." in shown
