"""The answer with its proof, for those who administer the tenant."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chatapp.conversations.exports import checked_export
from chatapp.conversations.models import AuditEntry
from chatapp.conversations.readable import checked_page
from knowledge.documents.models import KnowledgeBase

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio(loop_scope="session")]


async def test_an_administrator_takes_the_answer_of_anybody(
    answered: Any, fetch: Any, owner: Any, make_user: Any, tenant: Any, rows: Any
) -> None:
    run = await answered()
    auditor = await rows(lambda: make_user("auditor@acme.test", tenant=tenant, role="admin"))
    for user in (owner, auditor):
        data, page = [await fetch(user, f"/runs/{run}/export.{kind}") for kind in ("json", "html")]
        assert checked_export(data.json()) == []
        assert checked_page(page.content.decode()) == []
        for response in (data, page):
            assert response["Content-Disposition"].startswith("attachment")
            assert "sandbox" in response["Content-Security-Policy"]
    assert (await fetch(auditor, f"/runs/{run}/")).status_code == 404, "the conversation stays its owner's"
    assert b"export.html" in (await fetch(owner, f"/runs/{run}/")).content


@pytest.mark.parametrize("kind", ["json", "html"])
async def test_nobody_else_does(
    kind: str, answered: Any, fetch: Any, member: Any, make_user: Any, tenant: Any, other_tenant: Any, rows: Any
) -> None:
    run = await answered()
    editor = await rows(lambda: make_user("editor@acme.test", tenant=tenant, role="editor"))
    stranger = await rows(lambda: make_user("stranger@globex.test", tenant=other_tenant, role="owner"))
    for user in (member, editor, stranger):
        theirs, missing = [await fetch(user, f"/runs/{one}/export.{kind}") for one in (run, uuid.uuid4())]
        assert (theirs.status_code, missing.status_code) == (404, 404)
        assert b"register" not in theirs.content


async def test_what_may_no_longer_be_opened_is_not_handed_out(
    answered: Any, fetch: Any, owner: Any, library: Any, other_tenant: Any, rows: Any
) -> None:
    run = await answered()
    await rows(lambda: KnowledgeBase.objects.filter(pk=library.base.pk).update(tenant=other_tenant))
    refused = await fetch(owner, f"/runs/{run}/export.json")
    assert refused.status_code == 403
    assert b"front desk" not in refused.content


async def test_an_answer_without_a_record_has_no_proof(answered: Any, fetch: Any, owner: Any, rows: Any) -> None:
    run = await answered()

    def drop() -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {AuditEntry._meta.db_table}")  # noqa: S608

    await rows(drop)
    assert (await fetch(owner, f"/runs/{run}/export.json")).status_code == 404
    assert b"export" not in (await fetch(owner, f"/runs/{run}/")).content
