"""The pages and the HTTP API of training data: who sees them, what they say, and what their buttons do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chatapp.finetuning.datasets import builds, reviewing, services, starting, writing
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.models import TrainingDataset, TrainingRow
from chatapp.finetuning.datasets.versions import draft_of, freeze

QUOTE = "Visitors register at the front desk before 18:00"


@pytest.fixture(autouse=True)
def _static(_parts: None) -> None:
    """The folder of static files is there."""


@pytest.fixture
def page(client: Client, owner: Any) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def call(client: Client, api_key: str) -> Callable[..., tuple[int, Any]]:
    """Call the API with the owner's key, or with another one."""

    def send(method: str, path: str, body: Any = None, *, key: str | None = None, **files: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key or api_key}"}
        address = f"/api/v1/training-datasets{path}"
        if files:
            reply = client.post(address, files, headers=headers)
        else:
            data = json.dumps(body) if body is not None else ""
            reply = client.generic(method, address, data, content_type="application/json", headers=headers)
        return reply.status_code, json.loads(reply.content) if reply.content else None

    return send


def text(reply: Any) -> str:
    assert reply.status_code == 200, reply.status_code
    return " ".join(reply.content.decode().split())


def test_dataset_is_made_filled_reviewed_and_frozen_by_its_pages(page: Client, library: Any, run_builds: Any) -> None:
    assert "No dataset yet" in text(page.get("/models/data/"))
    reply = page.post("/models/data/new", {"name": "House", "kind": "raft", "base": [str(library.base.pk)]})
    dataset = TrainingDataset.objects.get()
    address = f"/models/data/{dataset.pk}/"
    assert reply.headers["Location"] == address
    assert "Style only, experimental" in text(page.get(address))

    wrong = {"question": "Until when?", "document": str(library.documents[0].pk), "quote": "Not there", "answer": "X."}
    assert "The quote does not stand in the document" in text(page.post(f"{address}write", wrong))
    right = {**wrong, "document": f"http://testserver/documents/{library.documents[0].pk}/", "quote": QUOTE,
             "answer": "They register before 18:00."}  # fmt: skip
    assert page.post(f"{address}write", right).status_code == 302
    row = TrainingRow.objects.get()
    shown = text(page.get(f"{address}review", follow=True))
    assert f"<mark>{QUOTE}</mark>" in shown
    assert "They register before 18:00 [S" in shown

    assert (
        page.post(f"/models/data/rows/{row.pk}/decide", {"do": "save", "completion": "Before 21:45 [S1]."}).status_code
        == 302
    )
    shown = text(page.get(f"/models/data/rows/{row.pk}/"))
    assert "Not held by its sources: cannot be approved" in shown
    assert "number 21 not in the source" in shown
    page.post(f"/models/data/rows/{row.pk}/decide", {"do": "approve", "completion": "Before 21:45 [S1]."})
    row.refresh_from_db()
    assert row.state == "proposed"
    label = shown.partition('<li class="answers">')[2].partition("[S")[2][:1]
    done = page.post(
        f"/models/data/rows/{row.pk}/decide", {"do": "approve", "completion": f"Before 18:00 [S{label}]."}, follow=True
    )
    assert "There is no such row left to review" in text(done)

    assert "1 approved rows: " in text(page.get(f"{address}freeze"))
    assert "Rows are being added or checked" in text(page.get(address)), "the row that was written is looked at"
    assert "Under way" not in text(page.post(f"{address}freeze", follow=True)), "no worker took it yet"
    run_builds()
    shown = text(page.get(address))
    assert "Version 1 is frozen. A training can use it from now on." in shown
    assert f'href="{address}versions/1/"' in shown
    version = dataset.versions.get()
    shown = text(page.get(f"{address}versions/1/"))
    assert version.content_hash in shown
    assert "Too few questions to compare" in shown
    page.post(f"{address}draft")
    assert "Open a draft" not in text(page.get(address))
    assert "Added: 0" in text(page.get(f"{address}versions/2/"))


def test_uploaded_file_is_proposed_by_a_build_that_names_each_line_that_was_not_taken(
    page: Client, dataset: Any, run_builds: Any
) -> None:
    address = f"/models/data/{dataset.pk}/"
    data = b'{"prompt": "a?", "completion": "b"}\n{"prompt": "c?"}\n{"prompt": "a?", "completion": "b"}\n'
    shown = text(page.post(f"{address}upload", {"file": SimpleUploadedFile("rows.jsonl", data)}, follow=True))
    assert "Waiting for a worker" in shown
    assert draft_of(dataset).rows.count() == 0
    refused = text(page.post(f"{address}approve", follow=True))
    assert refused.count("Rows are being added or checked. Approve them together when that is done.") == 2
    assert "is under way" in text(page.post(f"{address}upload", {"file": SimpleUploadedFile("b.jsonl", data)}))
    run_builds()
    shown = text(page.get(address))
    assert "Done: 1 row proposed, 0 of them not held by their sources, 1 known already.</p>" in shown
    assert "1 line is no row and was not taken:" in shown
    assert '<td class="number">2</td><td dir="auto">“completion” is missing.</td>' in shown
    assert "Choose a file first" in text(page.post(f"{address}upload", {}))
    assert "no.jsonl holds no rows" in text(
        page.post(f"{address}upload", {"file": SimpleUploadedFile("no.jsonl", b"\n")})
    )
    page.post(f"{address}approve")
    assert draft_of(dataset).rows.get().state == "approved"


def test_making_rows_tells_its_cost_first_and_can_be_cancelled(page: Client, raft: Any) -> None:
    address = f"/models/data/{raft.pk}/make"
    shown = text(page.post(address, {"passages": "50", "model": ""}))
    assert "a rule" in shown
    assert DatasetBuild.objects.count() == 0
    page.post(address, {"passages": "50", "model": "", "go": "yes"})
    build = DatasetBuild.objects.get()
    assert "Waiting for a worker" in text(page.get(f"/models/data/{raft.pk}/"))
    page.post(f"/models/data/builds/{build.pk}/cancel")
    builds.run_build(build_id=build.pk)
    build.refresh_from_db()
    assert (build.state, draft_of(raft).rows.count()) == ("cancelled", 0)
    follow = page.post(address, {"passages": "0"}, follow=True)
    assert "1 to 2,000 passages" in text(follow)


def test_dataset_in_use_stays_and_another_goes(
    page: Client, dataset: Any, actor: Any, tenant: Any, run_builds: Any
) -> None:
    from django.utils import timezone

    from chatapp.finetuning.training.models import TrainingRun

    starting.start_file(actor=actor, dataset=dataset, name="a.jsonl", data=b'{"prompt": "a?", "completion": "b"}')
    run_builds()
    reviewing.review_unflagged(actor=actor, dataset=dataset)
    version = freeze(draft_of(dataset), actor)
    run = TrainingRun.objects.create(
        tenant=tenant, name="Run", dataset_version=version, trainer="local", method="lora", not_before=timezone.now()
    )
    shown = text(page.post(f"/models/data/{dataset.pk}/delete", follow=True))
    assert "Models were trained on this dataset" in shown
    run.delete()
    assert "is deleted" in text(page.post(f"/models/data/{dataset.pk}/delete", follow=True))
    assert not TrainingRow.objects.exists()


def test_api_makes_fills_reviews_pages_and_freezes(call: Callable[..., tuple[int, Any]], run_builds: Any) -> None:
    status, made = call("POST", "", {"name": "Forms", "kind": "instruction"})
    assert status == 201
    pk = made["id"]
    lines = "\n".join(
        json.dumps({"prompt": f"Question {n} of {n * 7}?", "completion": f"Answer {n}"}) for n in range(5)
    )
    file = SimpleUploadedFile("rows.jsonl", f"{lines}\nno\n".encode())
    status, build = call("POST", f"/{pk}/upload", file=file)
    assert (status, build["kind"], build["state"], build["work"]) == (202, "file", "queued", 6)
    assert call("POST", f"/{pk}/upload", file=SimpleUploadedFile("b.jsonl", b"{}"))[0] == 409
    assert call("POST", f"/{pk}/upload", file=SimpleUploadedFile("c.jsonl", b"\xff"))[0] == 422
    run_builds()
    _, told = call("GET", f"/{pk}/builds/{build['id']}")
    assert (told["state"], told["counts"]["proposed"], told["refused"], told["errors"][0]["line"]) == ("done", 5, 1, 6)
    rows, cursor = [], ""
    while cursor is not None:
        _, found = call("GET", f"/{pk}/rows?limit=2{f'&cursor={cursor}' if cursor else ''}")
        rows += found["items"]
        cursor = found["next_cursor"]
    assert len({row["id"] for row in rows}) == 5
    status, problem = call("POST", f"/{pk}/freeze")
    assert (status, problem["code"]) == (409, "nothing_to_freeze")
    status, row = call("PATCH", f"/{pk}/rows/{rows[0]['id']}", {"completion": "Another answer", "state": "approved"})
    assert (status, row["state"], row["completion"]) == (200, "approved", "Another answer")
    status, build = call("POST", f"/{pk}/freeze")
    assert (status, build["kind"]) == (202, "freeze")
    run_builds()
    assert call("GET", f"/{pk}/builds/{build['id']}")[1]["state"] == "done"
    (frozen,) = call("GET", f"/{pk}")[1]["versions"]
    assert (frozen["id"], frozen["state"], len(frozen["content_hash"]), frozen["counts"]["approved"]) == (
        build["version"],
        "frozen",
        64,
        1,
    )
    assert call("PATCH", f"/{pk}/rows/{rows[1]['id']}", {"state": "approved"})[0] == 409
    assert call("POST", f"/{pk}/freeze")[0] == 409
    assert call("GET", "")[1]["items"][0]["versions"][0]["number"] == 1
    assert call("DELETE", f"/{pk}")[0] == 204


def test_strangers_and_readers_find_nothing(
    client: Client, call: Callable[..., tuple[int, Any]], raft: Any, actor: Any, library: Any, member: Any,
    make_user: Any, other_tenant: Any, tenant: Any,
) -> None:  # fmt: skip
    from chatapp.accounts.services import issue_api_key
    from chatapp.finetuning.datasets.starting import start_synthesis

    writing.add_curated(
        actor=actor, dataset=raft, question="Until when?", answer="", document=str(library.documents[0].pk), quote=QUOTE
    )
    row = draft_of(raft).rows.get()
    build = start_synthesis(actor=actor, dataset=raft, passages=1, per_passage=1)
    pages = {
        "get": ["", "review", "versions/1/", "upload", "write", "freeze", "delete"],
        "post": [
            "draft",
            "limits",
            "approve",
            "answers",
            "questions",
            "make",
            "upload",
            "write",
            "freeze",
            "delete",
            "check",
        ],
    }
    addresses = [(verb, f"/models/data/{raft.pk}/{name}") for verb, names in pages.items() for name in names]
    addresses += [("get", f"/models/data/rows/{row.pk}/"), ("post", f"/models/data/rows/{row.pk}/decide"),
                  ("post", f"/models/data/builds/{build.pk}/cancel")]  # fmt: skip
    calls = [("GET", ""), ("DELETE", ""), ("GET", "/rows"), ("POST", "/freeze"), ("GET", f"/builds/{build.pk}"),
             ("POST", f"/builds/{build.pk}/cancel")]  # fmt: skip
    stranger = make_user("owner@globex.test", tenant=other_tenant, role="owner")
    client.force_login(stranger)
    assert {(a, getattr(client, verb)(a).status_code) for verb, a in addresses} == {(a, 404) for _, a in addresses}
    key = issue_api_key(user=stranger, tenant=other_tenant, name="x")[1]
    client.logout()
    assert {call(m, f"/{raft.pk}{p}", key=key)[0] for m, p in calls} == {404}
    assert call("PATCH", f"/{raft.pk}/rows/{row.pk}", {"state": "rejected"}, key=key)[0] == 404
    assert call("GET", f"/{uuid.uuid4()}")[0] == 404
    client.force_login(member)
    assert {getattr(client, verb)(a).status_code for verb, a in addresses} == {403}
    assert client.get("/models/data/").status_code == 403
    assert client.get("/models/data/new").status_code == 403
    client.logout()
    reader = issue_api_key(user=member, tenant=tenant, name="x")[1]
    assert call("GET", "", key=reader)[0] == 403
    assert call("GET", f"/{raft.pk}", key=reader)[0] == 404
    row.refresh_from_db()
    build.refresh_from_db()
    assert (row.state, build.state, raft.versions.count()) == ("proposed", "queued", 1)


def test_row_of_another_dataset_is_not_reached_through_this_one(
    call: Callable[..., tuple[int, Any]], dataset: Any, actor: Any, add_rows: Callable[..., Any]
) -> None:
    (row,) = add_rows(dataset, ("Say hi.", "Hello."))
    other = services.create_dataset(actor=actor, name="Other", kind="instruction")
    assert call("PATCH", f"/{other.pk}/rows/{row.pk}", {"state": "rejected"})[0] == 404


def test_pages_take_as_many_queries_for_many_rows(
    page: Client, dataset: Any, add_rows: Callable[..., Any], django_assert_max_num_queries: Any
) -> None:
    add_rows(dataset, *((f"Question number {n} of {n * 13}?", f"Answer {n}.") for n in range(40)))
    with django_assert_max_num_queries(30):
        page.get(f"/models/data/{dataset.pk}/")
    row = draft_of(dataset).rows.first()
    with django_assert_max_num_queries(25):
        page.get(f"/models/data/rows/{row.pk}/")


def test_lists_take_as_many_queries_for_ten_datasets_as_for_three(
    page: Client, call: Callable[..., tuple[int, Any]], actor: Any, library: Any, add_rows: Callable[..., Any],
    django_assert_num_queries: Any,
) -> None:  # fmt: skip
    def add(numbers: range) -> None:
        for n in numbers:
            made = services.create_dataset(
                actor=actor, name=f"Set {n}", kind="instruction", knowledge_bases=[library.base.pk]
            )
            rows = add_rows(made, *((f"Question {k} of {n}?", f"Answer {k}.") for k in range(n + 1)))
            reviewing.review_row(actor=actor, row=rows[0], state="approved")
            if n % 2:
                freeze(draft_of(made), actor)

    def listed() -> list[Any]:
        return [each["versions"][0]["counts"] for each in call("GET", "?limit=50")[1]["items"]]

    add(range(3))
    listed()
    page.get("/models/data/")
    with CaptureQueriesContext(connection) as by_page:
        assert text(page.get("/models/data/")).count("Style only, experimental") == 3
    with CaptureQueriesContext(connection) as by_api:
        assert len(listed()) == 3
    add(range(3, 10))
    with django_assert_num_queries(len(by_page)):
        shown = text(page.get("/models/data/"))
    assert shown.count("Style only, experimental") == 10
    assert "held out, 8 to review" in shown
    with django_assert_num_queries(len(by_api)):
        counts = listed()
    assert [each.get("rows", each.get("approved")) for each in counts] == [1, 9, 1, 7, 1, 5, 1, 3, 1, 1]
