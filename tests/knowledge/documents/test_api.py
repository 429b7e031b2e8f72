"""The HTTP interface of design section 6, every route, from the outside."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from knowledge.documents import ingest, selectors, services
from knowledge.documents.models import Document, IngestionJob, KnowledgeBase
from knowledge.errors import StoreUnavailable

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = "/api/v1"


class Api:
    """A caller with one key; answers are ``(status, decoded body)``, refusals are checked for their form."""

    def __init__(self, key: str) -> None:
        self.client = Client(headers={"authorization": f"Bearer {key}"}, raise_request_exception=False)

    def __call__(self, method: str, path: str, body: Any = None, **named: Any) -> tuple[int, Any]:
        if body is not None:
            named |= {"data": json.dumps(body), "content_type": "application/json"}
        return self._answer(self.client.generic(method, ROOT + path, **named))

    def upload(self, path: str, content: str | bytes = "The otter sleeps.", name: str = "a.md", **fields: str) -> Any:
        data = content.encode() if isinstance(content, str) else content
        return self._answer(self.client.post(ROOT + path, {"file": SimpleUploadedFile(name, data), **fields}))

    @staticmethod
    def _answer(response: Any) -> tuple[int, Any]:
        body = json.loads(response.content) if response.content else None
        if response.status_code >= 400:
            assert response["Content-Type"] == "application/problem+json"
            assert {"type", "title", "status", "code", "detail"} <= body.keys()
            assert body["status"] == response.status_code
        return response.status_code, body


@pytest.fixture
def caller(make_user: Callable[..., Any]) -> Callable[..., Api]:
    """Call with a tenant and a role to get somebody's API."""
    from chatapp.accounts.services import issue_api_key

    def make(tenant: Any, role: str) -> Api:
        user = make_user(f"{role}@{tenant.slug}.test", tenant=tenant, role=role)
        return Api(issue_api_key(user=user, tenant=tenant, name="test")[1])

    return make


@pytest.fixture
def api(api_key: str) -> Api:
    return Api(api_key)


@pytest.fixture
def documents(world: Any) -> str:
    return f"/knowledge-bases/{world.base.pk}/documents"


# --- knowledge bases ------------------------------------------------------------------------------


def test_bases_are_made_listed_changed_and_deleted(api: Api, tenant: Any) -> None:
    status, made = api("POST", "/knowledge-bases", {"name": "Contracts", "description": "Signed ones"})
    assert status == 201
    assert {k: made[k] for k in ("name", "slug", "description", "documents")} == {
        "name": "Contracts", "slug": "contracts", "description": "Signed ones", "documents": 0,
    }  # fmt: skip
    assert api("GET", f"/knowledge-bases/{made['id']}") == api("GET", "/knowledge-bases/contracts") == (200, made)
    status, changed = api("PATCH", f"/knowledge-bases/{made['id']}", {"name": "Deeds"})
    assert (status, changed["name"], changed["description"], changed["slug"]) == (
        200,
        "Deeds",
        "Signed ones",
        "contracts",
    )
    assert api("GET", "/knowledge-bases") == (200, {"items": [changed], "next_cursor": None})
    assert api("DELETE", f"/knowledge-bases/{made['id']}") == (202, None)
    assert api("GET", f"/knowledge-bases/{made['id']}")[0] == 404
    assert api("GET", "/knowledge-bases")[1]["items"] == []


def test_base_counts_its_documents_without_those_being_deleted(api: Api, world: Any, documents: str) -> None:
    for name in ("a.md", "b.md"):
        world.upload("Words.", name)
    services.delete_document(document=Document.objects.get(name="a.md"))
    assert api("GET", f"/knowledge-bases/{world.base.pk}")[1]["documents"] == 1
    assert api("GET", "/knowledge-bases")[1]["items"][0]["documents"] == 1


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x" * 201}, {"name": 7}, {"name": "a", "slug": "x" * 61}, [], "text"]
)
def test_base_that_is_not_described_right_is_refused(api: Api, body: Any) -> None:
    status, problem = api("POST", "/knowledge-bases", body)
    assert (status, problem["code"]) == (422, "invalid_request")
    assert problem["errors"]


def test_bases_come_in_pages(api: Api, world: Any) -> None:
    for number in range(4):
        api("POST", "/knowledge-bases", {"name": f"Base {number}"})
    found: list[str] = []
    path = "/knowledge-bases?limit=2"
    while path:
        _, page = api("GET", path)
        found += [base["name"] for base in page["items"]]
        path = f"/knowledge-bases?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert found == ["Base 3", "Base 2", "Base 1", "Base 0", "Handbook"]


# --- documents ------------------------------------------------------------------------------------


def test_upload_is_accepted_processed_and_read_back_exactly(api: Api, world: Any, documents: str) -> None:
    text = "# Rest\n\nThe otter sleeps — “always” — at noon. 🦦\n"
    status, made = api.upload(
        documents, text, "otters.md", title="Otters", source_uri="https://wiki.test/otters", metadata='{"kind": "memo"}'
    )
    assert status == 202
    assert (made["status"], made["version"], made["title"], made["error"]) == ("queued", 1, "Otters", None)
    assert (made["source_uri"], made["metadata"]) == ("https://wiki.test/otters", {"kind": "memo"})
    assert 0 <= made["stage_progress"] <= 1
    assert len(made["sha256"]) == 64
    world.work()
    _, ready = api("GET", f"/documents/{made['id']}")
    assert (ready["status"], ready["chunks"], ready["pages"], ready["media_type"]) == (
        "ready",
        1,
        None,
        "text/markdown",
    )
    answer = api.client.get(f"{ROOT}/documents/{made['id']}/versions/1/text")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    document = Document.objects.get(pk=made["id"])
    assert answer.content.decode() == selectors.version_text(document.current_version)
    [passage] = api("POST", "/search", {"query": "When does the otter sleep?"})[1]["passages"]
    assert answer.content.decode()[passage["start"] : passage["end"]] == passage["text"]


def test_same_name_again_is_a_new_version_of_the_same_document(api: Api, world: Any, documents: str) -> None:
    _, first = api.upload(documents, "One.")
    world.work()
    status, second = api.upload(documents, "Two.")
    assert (status, second["id"], second["status"]) == (202, first["id"], "queued")
    world.work()
    status, versions = api("GET", f"/documents/{first['id']}/versions")
    assert [(v["number"], v["state"]) for v in versions] == [(2, "live"), (1, "archived")]
    assert api("GET", documents)[1]["items"][0]["version"] == 2


def test_version_is_added_by_its_own_route(api: Api, world: Any, documents: str) -> None:
    _, made = api.upload(documents, "One.")
    world.work()
    status, answer = api.upload(f"/documents/{made['id']}/versions", "Two.", "renamed.md")
    assert (status, answer["id"], answer["status"]) == (202, made["id"], "queued")
    world.work()
    _, ready = api("GET", f"/documents/{made['id']}")
    assert (ready["version"], ready["filename"], ready["title"]) == (2, "renamed.md", "a.md")


def test_failed_document_says_why_and_is_tried_again(
    api: Api, world: Any, documents: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.conf.settings.JOB_ATTEMPTS", 1)
    monkeypatch.setattr(ingest, "OUTAGE", timedelta(0))  # nobody waits until the index comes back
    _, made = api.upload(documents)
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "_ingest", unavailable)
        world.work()
    _, failed = api("GET", f"/documents/{made['id']}")
    assert (failed["status"], failed["retry"]) == ("failed", True)
    assert "Search is unavailable" in failed["error"]
    status, again = api("POST", f"/documents/{made['id']}/retry")
    assert (status, again["status"], again["error"], again["retry"]) == (202, "queued", None, False)
    assert world.work() == 1
    assert api("GET", f"/documents/{made['id']}")[1]["status"] == "ready"


def unavailable(*_: object) -> None:
    raise StoreUnavailable


def test_work_is_cancelled_and_its_standing_told(api: Api, world: Any, documents: str) -> None:
    made = api.upload(documents, b"Words.")[1]
    assert (made["stage"], made["attempts"], made["queue_position"], made["eta_seconds"]) == ("waiting", 0, 1, None)
    status, over = api("POST", f"/documents/{made['id']}/cancel")
    assert (status, over["status"], over["retry"], over["stage"]) == (202, "failed", True, "")
    assert over["error"] == over["last_error"] == "Cancelled by owner@acme.test."
    assert api("POST", f"/documents/{made['id']}/cancel")[1]["error"] == over["error"]  # nothing more happens
    again = api("POST", f"/documents/{made['id']}/retry")[1]
    assert (again["status"], again["error"], again["last_error"]) == ("queued", None, None)


def test_retry_that_cannot_help_is_refused_with_what_to_do_instead(api: Api, world: Any, documents: str) -> None:
    _, made = api.upload(documents, b"%PDF-1.7\nbroken", "a.pdf")
    world.work()
    _, failed = api("GET", f"/documents/{made['id']}")
    assert (failed["status"], failed["retry"]) == ("failed", False)
    status, answer = api("POST", f"/documents/{made['id']}/retry")
    assert (status, answer["code"]) == (409, "retry_useless")
    assert answer["detail"].startswith(failed["error"])
    assert "Upload a readable file as a new version" in answer["detail"]
    assert IngestionJob.objects.get().state == "failed"
    status, newer = api.upload(f"/documents/{made['id']}/versions", "The otter sleeps.", "a.md")
    assert (status, newer["status"], newer["error"], newer["retry"]) == (202, "queued", None, False)
    world.work()
    assert api("GET", f"/documents/{made['id']}")[1]["status"] == "ready"


def test_deleted_document_is_gone_for_every_route_at_once(api: Api, world: Any, documents: str) -> None:
    _, made = api.upload(documents)
    world.work()
    status, answer = api("DELETE", f"/documents/{made['id']}")
    assert (status, answer["status"], answer["id"]) == (202, "deleting", made["id"])
    assert api("GET", documents)[1]["items"] == []
    assert api("POST", "/search", {"query": "otter"})[1]["passages"] == []
    for method, path in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/versions"),
        ("GET", "/versions/1/text"),
        ("POST", "/retry"),
        ("POST", "/cancel"),
    ):
        assert api(method, f"/documents/{made['id']}{path}")[0] == 404
    assert api.upload(f"/documents/{made['id']}/versions")[0] == 404


def test_documents_come_in_pages_newest_first(api: Api, world: Any, documents: str) -> None:
    for number in range(5):
        world.upload(f"Words {number}.", f"{number}.md")
    _, page = api("GET", f"{documents}?limit=3")
    _, rest = api("GET", f"{documents}?limit=3&cursor={page['next_cursor']}")
    assert [d["title"] for d in page["items"] + rest["items"]] == [f"{n}.md" for n in (4, 3, 2, 1, 0)]
    assert rest["next_cursor"] is None


def test_list_of_documents_asks_the_database_the_same_for_any_number(
    api: Api, world: Any, documents: str, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        world.upload("Words.", f"{number}.md")
    with django_assert_max_num_queries(13):
        assert len(api("GET", documents)[1]["items"]) == 8


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "status", "code"), [(b"", 422, "document_empty"), (b"x" * 99, 413, "document_too_large")]
)
def test_refused_file_is_told_and_leaves_no_document(
    api: Api, documents: str, settings: Any, content: bytes, status: int, code: str
) -> None:
    settings.MAX_UPLOAD_BYTES = 50
    found, problem = api.upload(documents, content)
    assert (found, problem["code"]) == (status, code)
    assert not Document.objects.exists()


def test_texts_that_no_database_holds_are_stored_without_them(api: Api, documents: str) -> None:
    status, made = api.upload(documents, "Words.", title="a\0b", metadata='{"k\\u0000": ["\\u0000v", {"n": 1}]}')
    assert (status, made["title"], made["metadata"]) == (202, "ab", {"k?": ["?v", {"n": 1}]})
    status, base = api("POST", "/knowledge-bases", {"name": "a\0b\ud800", "description": "😀\0"})
    assert (status, base["name"], base["description"]) == (201, "a?b?", "😀?")


@pytest.mark.parametrize("metadata", ["not json", "[1]", "7", '{"a": NaN}', '{"a": Infinity}', "{" * 5000])
def test_metadata_that_is_no_object_is_refused(api: Api, documents: str, metadata: str) -> None:
    assert api.upload(documents, metadata=metadata)[0] == 422
    assert not Document.objects.exists()


def test_upload_without_a_file_is_refused(api: Api, documents: str) -> None:
    assert api._answer(api.client.post(ROOT + documents, {"title": "x"}))[0] == 422
    assert api._answer(api.client.post(ROOT + documents, {"file": "text, no file"}))[0] == 422
    assert api("POST", documents, {"file": "x"})[0] == 422


BROKEN_BASE64 = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--\r\n"
)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--x\r\nno headers at all", "multipart/form-data; boundary=x"),
        (b"anything", "multipart/form-data"),
        (b"anything", "multipart/form-data; boundary=" + "\u00e9" * 3),
        (BROKEN_BASE64, "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data; boundary=x"),
    ],
)  # fmt: skip
def test_malformed_form_is_the_callers_mistake(api: Api, documents: str, body: bytes, content_type: str) -> None:
    status, _ = api("POST", documents, data=body, content_type=content_type)
    assert status in (400, 422)
    assert not Document.objects.exists()


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b"[" * 100_000])
def test_body_that_is_no_json_is_the_callers_mistake(api: Api, body: bytes) -> None:
    status, _ = api("POST", "/search", data=body, content_type="application/json")
    assert status in (400, 422)


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "1e9", ""])
def test_page_size_out_of_range_is_refused(api: Api, documents: str, limit: str) -> None:
    for path in (documents, "/knowledge-bases"):
        status, problem = api("GET", f"{path}?limit={limit}")
        assert (status, problem["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("cursor", ["garbage", "%ff%fe", "W10", "WzEsMl0", "x" * 5000])
def test_cursor_that_is_not_ours_is_refused(api: Api, documents: str, cursor: str) -> None:
    for path in (documents, "/knowledge-bases"):
        status, problem = api("GET", f"{path}?cursor={cursor}")
        assert (status, problem["code"]) == (400, "bad_cursor")


ROUTES = [
    ("GET", "/documents/{document}"),
    ("DELETE", "/documents/{document}"),
    ("POST", "/documents/{document}/retry"),
    ("POST", "/documents/{document}/cancel"),
    ("GET", "/documents/{document}/versions"),
    ("GET", "/documents/{document}/versions/1/text"),
    ("GET", "/knowledge-bases/{base}"),
    ("PATCH", "/knowledge-bases/{base}"),
    ("DELETE", "/knowledge-bases/{base}"),
    ("GET", "/knowledge-bases/{base}/documents"),
]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_foreign_is_answered_exactly_as_missing(
    caller: Callable[..., Api], world: Any, other_tenant: Any, method: str, route: str
) -> None:
    document = world.add("The otter sleeps.")
    stranger = caller(other_tenant, "owner")
    body = {"name": "x"} if method == "PATCH" else None
    foreign = stranger(method, route.format(document=document.pk, base=world.base.pk), body)
    missing = stranger(method, route.format(document=uuid.uuid4(), base=uuid.uuid4()), body)
    odd = stranger(method, route.format(document=f"{{{document.pk}}}", base=str(world.base.pk).upper()), body)
    assert foreign == missing == odd
    assert foreign[0] == 404
    document.refresh_from_db()
    assert document.status == "ready"
    assert KnowledgeBase.objects.filter(pk=world.base.pk, deleting=False, name="Handbook").exists()


def test_strangers_cannot_upload_or_search(caller: Callable[..., Api], world: Any, other_tenant: Any) -> None:
    document = world.add("The otter sleeps.")
    stranger = caller(other_tenant, "owner")
    for path in ("/knowledge-bases/{}/documents", "/documents/{}/versions"):
        row = document.pk if "versions" in path else world.base.pk
        assert stranger.upload(path.format(row)) == stranger.upload(path.format(uuid.uuid4()))
        assert stranger.upload(path.format(row))[0] == 404
    named = stranger("POST", "/search", {"query": "otter", "knowledge_bases": [str(world.base.pk)]})
    assert named == stranger("POST", "/search", {"query": "otter", "knowledge_bases": [str(uuid.uuid4())]})
    assert named[0] == 404
    assert stranger("POST", "/search", {"query": "otter"})[1]["passages"] == []
    only = {"query": "otter", "filters": {"documents": [str(document.pk)]}}
    assert stranger("POST", "/search", only)[0] == 404
    assert Document.objects.get().latest_number == 1


WRITES = [
    ("POST", "/knowledge-bases"),
    ("PATCH", "/knowledge-bases/{base}"),
    ("DELETE", "/knowledge-bases/{base}"),
    ("DELETE", "/documents/{document}"),
    ("POST", "/documents/{document}/retry"),
    ("POST", "/documents/{document}/cancel"),
]


@pytest.mark.parametrize("role", ["reader", "member"])
def test_roles_that_do_not_edit_read_and_search_only(
    caller: Callable[..., Api], world: Any, tenant: Any, documents: str, role: str
) -> None:
    document = world.add("The otter sleeps.")
    someone = caller(tenant, role)
    for method, route in WRITES:
        body = {"name": "x"} if method in ("PATCH", "POST") and "retry" not in route else None
        assert someone(method, route.format(document=document.pk, base=world.base.pk), body)[0] == 403
    assert someone.upload(documents)[0] == 403
    assert someone.upload(f"/documents/{document.pk}/versions")[0] == 403
    assert someone("GET", f"/documents/{document.pk}")[0] == 200
    assert len(someone("POST", "/search", {"query": "otter"})[1]["passages"]) == 1
    assert Document.objects.get().status == "ready"


@pytest.mark.parametrize("role", ["editor", "admin"])
def test_roles_that_edit_may_upload(caller: Callable[..., Api], tenant: Any, documents: str, role: str) -> None:
    assert caller(tenant, role).upload(documents)[0] == 202


def test_without_a_key_nothing_is_told(world: Any, documents: str) -> None:
    document = world.upload("Words.")
    for key in ("", "fn_wrong"):
        for path in (documents, f"/documents/{document.pk}", f"/documents/{uuid.uuid4()}"):
            assert Api(key)("GET", path)[0] == 401


# --- search ---------------------------------------------------------------------------------------


def test_search_answers_in_the_public_shape(api: Api, world: Any) -> None:
    document = world.add("# Rest\n\n## Noon\n\nThe otter sleeps at noon.\n", "otters.md")
    status, answer = api("POST", "/search", {"query": "When does the otter sleep?", "limit": 3})
    assert status == 200
    assert set(answer) == {"query", "passages", "timings", "answerable", "threshold", "related", "notes"}
    assert answer["threshold"] <= answer["answerable"] <= 1
    assert answer["related"] == answer["notes"] == []
    [passage] = answer["passages"]
    assert set(passage) == {
        "id", "document", "version", "knowledge_base", "title", "heading_path", "page", "start", "end", "text", "score",
        "scores", "copies", "variants",
    }  # fmt: skip
    assert passage["heading_path"] == ["Rest", "Noon"]
    assert (passage["document"], passage["knowledge_base"]) == (str(document.pk), str(world.base.pk))
    assert {"vector", "keyword"} <= passage["scores"].keys()


def test_search_is_narrowed_to_bases_and_documents(api: Api, world: Any) -> None:
    second = services.create_knowledge_base(actor=world.actor, name="Second")
    first = world.add("The otter sleeps.", "a.md")
    world.add("The otter wakes.", "b.md")
    world.add("The otter swims.", "c.md", base=second)

    def titles(**more: Any) -> set[str]:
        return {p["title"] for p in api("POST", "/search", {"query": "otter", **more})[1]["passages"]}

    assert titles() == {"a.md", "b.md", "c.md"}
    assert titles(knowledge_bases=["second"]) == {"c.md"}
    assert titles(knowledge_bases=[str(world.base.pk), "second"]) == {"a.md", "b.md", "c.md"}
    assert titles(filters={"documents": [str(first.pk)]}) == {"a.md"}
    assert titles(knowledge_bases=["second"], filters={"documents": [str(first.pk)]}) == set()


def test_follow_up_question_uses_its_history(api: Api, world: Any) -> None:
    world.add("The otter sleeps at noon.", "a.md")
    world.add("The heron stands at dawn.", "b.md")
    history = [{"role": "user", "text": "Tell me about the heron."}, {"role": "assistant", "text": "It stands."}]
    _, answer = api("POST", "/search", {"query": "And when?", "history": history, "limit": 1})
    assert answer["passages"][0]["title"] == "b.md"


@pytest.mark.parametrize("size", [8193, 1_000_000])
def test_query_that_is_too_long_is_refused(api: Api, world: Any, size: int) -> None:
    status, problem = api("POST", "/search", {"query": "x" * size})
    assert status == 413
    assert "8 kB" in problem["detail"]


def test_body_beyond_every_limit_is_refused(api: Api, world: Any) -> None:
    assert api("POST", "/search", {"query": "x" * 3_000_000})[0] == 413


@pytest.mark.parametrize(
    "more",
    [
        {"query": ""}, {"query": " \n"}, {"query": None}, {"limit": 0}, {"limit": 101}, {"limit": "many"},
        {"knowledge_bases": "handbook"}, {"knowledge_bases": ["x"] * 101}, {"history": [{"role": "system", "text": "x"}]}, {"history": [{}] * 51},
    ],
)  # fmt: skip
def test_search_that_is_not_described_right_is_refused(api: Api, world: Any, more: dict[str, Any]) -> None:
    assert api("POST", "/search", {"query": "otter", **more})[0] == 422


def test_search_is_filtered_by_what_documents_are(api: Api, world: Any) -> None:
    world.add("The otter sleeps.", "a.md", metadata={"department": "HR"})
    world.add("The otter wakes.", "b.md", metadata={"department": "IT"})

    def titles(**filters: Any) -> set[str]:
        status, answer = api("POST", "/search", {"query": "otter", "filters": filters})
        assert status == 200
        return {p["title"] for p in answer["passages"]}

    assert titles(metadata={"department": "HR"}) == {"a.md"}
    assert titles(metadata={"department": ["HR", "IT"]}, media_type="text/markdown") == {"a.md", "b.md"}
    assert titles(created={"from": "2000-01-01", "to": "2000-12-31"}) == set()
    assert titles() == {"a.md", "b.md"}


@pytest.mark.parametrize("filters", [{"colour": "red"}, {"documents": []}, {"created": {"from": "soon"}}, ["x"], "x"])
def test_filter_that_is_not_known_is_a_problem_in_words(api: Api, world: Any, filters: Any) -> None:
    status, problem = api("POST", "/search", {"query": "otter", "filters": filters})
    assert (status, problem["status"], problem["code"]) == (400, 400, "bad_filter")
    assert problem["detail"].endswith(".")
    assert "filter" in problem["detail"].lower()


def test_filters_are_described(api: Api, world: Any) -> None:
    schemas = api("GET", "/openapi.json")[1]["components"]["schemas"]
    assert set(schemas["SearchFilters"]["properties"]) == {
        "documents", "metadata", "created", "updated", "media_type", "language",
    }  # fmt: skip
    assert set(schemas["DateRange"]["properties"]) == {"from", "to"}


@pytest.mark.parametrize(
    "query", ["%", "' OR 1=1 --", "\\", "\x00", "a\x00b", "*:*", "🦦", "東京", "\u202e", "AND OR NOT (", "]]", "\ud800"]
)
def test_any_text_may_be_searched(api: Api, world: Any, query: str) -> None:
    world.add("The otter sleeps.")
    assert api("POST", "/search", {"query": query})[0] == 200


# --- versions and validity ------------------------------------------------------------------------


def test_an_earlier_version_is_restored_over_the_interface(api: Api, world: Any, documents: str) -> None:
    row = api.upload(documents, "The otter sleeps.")[1]
    world.work()
    api.upload(documents, "The otter swims.")
    world.work()
    path = f"/documents/{row['id']}/versions"
    status, answer = api("POST", f"{path}/1/restore")
    assert (status, answer["status"], answer["unchanged"]) == (202, "queued", None)
    world.work()
    assert [(v["number"], v["state"], v["restored_from"]) for v in api("GET", path)[1]] == [
        (3, "live", 1), (2, "archived", None), (1, "archived", None),
    ]  # fmt: skip
    assert api("POST", f"{path}/1/restore")[1]["unchanged"] == 3
    status, problem = api("POST", f"{path}/3/restore")
    assert (status, problem["code"]) == (409, "restore_refused")
    assert problem["detail"] == "Version 3 is the one that is searched already. Nothing was changed."
    for number in ("9", "0", "-1", str(2**63)):
        assert api("POST", f"{path}/{number}/restore")[0] == 404, number


def test_bytes_that_are_there_already_are_told(api: Api, world: Any, documents: str) -> None:
    first = api.upload(documents, "The otter sleeps.")[1]
    assert first["unchanged"] is None
    world.work()
    assert api.upload(documents, "The otter sleeps.")[1]["unchanged"] == 1
    assert api.upload(f"/documents/{first['id']}/versions", "The otter sleeps.")[1]["unchanged"] == 1
    assert api.upload(f"/documents/{first['id']}/versions", "The otter swims.")[1]["unchanged"] is None
    assert api("GET", f"/documents/{first['id']}")[1]["unchanged"] is None


def test_a_document_is_changed_in_part(api: Api, world: Any, documents: str) -> None:
    row = api.upload(documents, "The otter sleeps.", metadata='{"kind": "note"}')[1]
    world.work()
    path = f"/documents/{row['id']}"
    status, changed = api("PATCH", path, {"valid_from": "2099-03-01T00:00:00+01:00"})
    assert (status, changed["valid_from"], changed["validity"]) == (
        200, "2099-02-28T23:00:00Z", "not searched before 28 February 2099, 23:00 UTC",
    )  # fmt: skip
    assert (changed["title"], changed["metadata"]) == ("a.md", {"kind": "note"})
    assert api("POST", "/search", {"query": "otter"})[1]["passages"] == []
    status, changed = api("PATCH", path, {"valid_from": None, "title": "Otters", "metadata": {"kind": "rule"}})
    assert (changed["valid_from"], changed["validity"], changed["title"], changed["metadata"]) == (
        None, "", "Otters", {"kind": "rule"},
    )  # fmt: skip
    world.work()
    assert api("POST", "/search", {"query": "otter"})[1]["passages"][0]["title"] == "Otters"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"valid_from": "tomorrow"}, "valid_from must be a date and time with its zone"),
        ({"expires": "2027-03-01"}, "expires must be a date and time with its zone"),
        ({"valid_until": 5}, "valid_until must be a date and time with its zone"),
        ({"expires": "2001-03-01T00:00Z"}, "The date in expires is over."),
        (
            {"valid_from": "2027-03-01T00:00Z", "valid_until": "2027-03-01T00:00Z"},
            "A document must become valid before",
        ),
    ],
)
def test_dates_that_make_no_sense_change_nothing(api: Api, documents: str, body: dict[str, Any], sentence: str) -> None:
    row = api.upload(documents)[1]
    status, problem = api("PATCH", f"/documents/{row['id']}", {"title": "Other", **body})
    assert (status, problem["code"]) == (422, "invalid_date")
    assert problem["detail"].startswith(sentence)
    assert api("GET", f"/documents/{row['id']}")[1]["title"] == "a.md"
    status, problem = api.upload(documents, "New words.", "b.md", **{k: str(v) for k, v in body.items()})
    assert (status, problem["code"]) == (422, "invalid_date")
    assert not Document.objects.filter(name="b.md").exists()


def test_an_upload_brings_its_dates(api: Api, documents: str) -> None:
    row = api.upload(documents, valid_until="2099-01-01T00:00:00Z", expires="2099-02-01T00:00:00Z", valid_from="")[1]
    assert (row["valid_from"], row["valid_until"], row["expires"]) == (
        None, "2099-01-01T00:00:00Z", "2099-02-01T00:00:00Z",
    )  # fmt: skip


def test_only_editors_of_the_tenant_change_and_restore(
    caller: Callable[..., Api], tenant: Any, other_tenant: Any, world: Any
) -> None:
    document = world.add("The otter sleeps.")
    world.add("The otter swims.")
    path = f"/documents/{document.pk}"
    reader, stranger = caller(tenant, "reader"), caller(other_tenant, "owner")
    for someone, status in ((reader, 403), (stranger, 404)):
        assert someone("PATCH", path, {"title": "x"})[0] == status
        assert someone("POST", f"{path}/versions/1/restore")[0] == status
    document.refresh_from_db()
    assert (document.title, document.latest_number) == ("notes.md", 2)


def test_the_description_names_what_is_new(api: Api) -> None:
    described = api("GET", "/openapi.json")[1]
    assert "post" in described["paths"]["/api/v1/documents/{document_id}/versions/{number}/restore"]
    assert "patch" in described["paths"]["/api/v1/documents/{document_id}"]
    fields = described["components"]["schemas"]["DocumentPatch"]["properties"]
    assert {"title", "metadata", "valid_from", "valid_until", "expires"} == fields.keys()
