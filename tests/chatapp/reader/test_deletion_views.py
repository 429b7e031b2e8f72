"""The pages and the API of deletion reports: editors see them, others learn nothing."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from knowledge.documents.deletions import signing
from knowledge.documents.deletions.api import DeletionOut
from knowledge.documents.models import DeletionReport

pytestmark = pytest.mark.django_db


@pytest.fixture
def report(tenant: Any) -> DeletionReport:
    """A closed report, signed."""
    now = timezone.now()
    row = DeletionReport(
        tenant=tenant, knowledge_base_ref=uuid4(), document_ref=uuid4(), name="Old <b>tariff</b>", requested=now,
        requested_by="editor@acme.test", reason="Superseded", state="done", finished=now, purged=now, checked=now,
        places=[
            {"place": "records", "name": "Records of the index", "rule": "gone", "before": 3, "after": 0, "note": ""},
            {"place": "answers", "name": "Answers", "rule": "kept", "before": 1, "after": 1, "note": "Kept by rule: 1"},
        ],
    )  # fmt: skip
    signing.sign(row)
    row.save()
    return row


@pytest.fixture
def signed_in(client: Client, make_user: Any, tenant: Any) -> Any:
    """Call with a role to be signed in with it."""

    def sign_in(role: str = "editor", *, of: Any = None) -> Client:
        client.force_login(make_user(f"{role}@pages.test", tenant=of or tenant, role=role))
        return client

    return sign_in


def page(report: DeletionReport) -> str:
    return f"/documents/deletions/{report.document_ref}/"


def test_list_and_report_say_what_became_of_it(signed_in: Any, report: DeletionReport) -> None:
    client = signed_in()
    listed = client.get("/documents/deletions/").content.decode()
    assert page(report) in listed
    assert "Old &lt;b&gt;tariff&lt;/b&gt;" in listed
    shown = client.get(page(report)).content.decode()
    for words in ("Gone", "Records of the index", "kept by rule", "editor@acme.test", "Superseded",
                  "Right: nobody has changed this report", "Download as JSON"):  # fmt: skip
        assert words in shown, words


def test_copies_that_end_by_themselves_are_told_where_gone_is_said(signed_in: Any, report: DeletionReport) -> None:
    copies = {"place": "source_copies", "name": "Private copies of sources", "rule": "fades", "before": 3, "after": 3,
              "note": ""}  # fmt: skip
    DeletionReport.objects.update(places=[*report.places, copies])
    client = signed_in()
    shown = client.get(page(report)).content.decode()
    assert "Gone from here</p>" in shown
    assert "Gone from here; copies that end by themselves remain: Private copies of sources (3)." in shown
    assert "Gone from here; copies end by themselves" in client.get("/documents/deletions/").content.decode()
    report.refresh_from_db()
    told = DeletionOut.of(report)
    assert (told.gone, told.fading) == (True, ["Private copies of sources"])
    assert told.headline.startswith("Gone from here; copies that end by themselves remain")


def test_a_report_without_a_name_is_listed_by_its_id(signed_in: Any, report: DeletionReport) -> None:
    DeletionReport.objects.update(name="")
    assert str(report.document_ref) in signed_in().get("/documents/deletions/").content.decode()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "running", "signature": ""}, "Being deleted"),
        ({"state": "waiting_for_purge", "signature": ""}, "Almost gone"),
        ({"state": "failed", "error": "Something of it is left: 2 in “Files”."}, "2 in “Files”"),
        ({"reason": "forged"}, "Wrong: the report was changed"),
    ],
)
def test_every_state_has_its_words(signed_in: Any, report: DeletionReport, changes: Any, words: str) -> None:
    DeletionReport.objects.update(**changes)
    assert words in signed_in().get(page(report)).content.decode()


def test_download_can_be_verified(signed_in: Any, report: DeletionReport) -> None:
    response = signed_in().get(f"{page(report)}file")
    assert response["Content-Disposition"].startswith("attachment; filename=")
    facts = json.loads(response.content)
    assert signing.is_signed(facts, facts.pop("signature"))


def test_nobody_else_sees_it(signed_in: Any, report: DeletionReport, other_tenant: Any, client: Client) -> None:
    paths = (page(report), f"{page(report)}file")
    assert client.get(page(report)).status_code == 302
    reader = signed_in("reader")
    assert {reader.get(path).status_code for path in (*paths, "/documents/deletions/")} == {403}
    stranger = signed_in("owner", of=other_tenant)
    assert {stranger.get(path).status_code for path in paths} == {404}
    assert page(report) not in stranger.get("/documents/deletions/").content.decode()


def api(client: Client, key: str, path: str) -> Any:
    return client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})


def test_interface_lists_pages_and_single_reports(
    client: Client, report: DeletionReport, api_key: str, tenant: Any
) -> None:
    for _ in range(3):
        DeletionReport.objects.create(
            tenant=tenant, knowledge_base_ref=uuid4(), document_ref=uuid4(), requested=timezone.now()
        )
    seen, cursor = [], ""
    while True:
        answer = api(client, api_key, f"/deletions?limit=3{cursor}").json()
        seen += answer["items"]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert len(seen) == len({row["id"] for row in seen}) == 4
    for pk in (report.pk, report.document_ref):
        one = api(client, api_key, f"/deletions/{pk}").json()
        assert (one["document"], one["state"], one["gone"], one["verified"]) == (
            str(report.document_ref), "done", True, True,
        )  # fmt: skip
        assert one["places"][0] == {
            "place": "records", "name": "Records of the index", "rule": "gone", "before": 3, "after": 0, "note": "",
        }  # fmt: skip


def test_interface_shows_strangers_and_readers_nothing(
    client: Client, report: DeletionReport, make_user: Any, tenant: Any, other_tenant: Any
) -> None:
    from chatapp.accounts.services import issue_api_key

    foreign = issue_api_key(
        user=make_user("x@globex.test", tenant=other_tenant, role="owner"), tenant=other_tenant, name="k"
    )[1]
    reader = issue_api_key(user=make_user("r@acme.test", tenant=tenant, role="reader"), tenant=tenant, name="k")[1]
    assert api(client, foreign, f"/deletions/{report.pk}").status_code == 404
    assert api(client, foreign, "/deletions").json()["items"] == []
    assert api(client, reader, f"/deletions/{report.pk}").status_code == 403
    assert api(client, reader, "/deletions").status_code == 403
