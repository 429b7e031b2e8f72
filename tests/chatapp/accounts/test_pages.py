from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from django.test import Client
from django.urls import reverse

from chatapp.accounts import services
from chatapp.accounts.access import actor_of_key
from chatapp.accounts.models import APIKey, User
from chatapp.conversations.models import Conversation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "_parts")]

INLINE = re.compile(
    rb"<script(?![^>]*(?:\bsrc=|type=\"application/json\"))[^>]*>|\son\w+\s*=\s*[\"']|<style[\s>]|javascript:",
    re.IGNORECASE,
)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(
        services.create_user(email="root@acme.test", password="correct horse", staff=True, superuser=True)
    )
    return client


def check_page(response: Any) -> None:
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert INLINE.search(response.content) is None, INLINE.search(response.content)
    assert response["Cache-Control"]


def test_sign_in_and_out(member: Any) -> None:
    client = Client()
    page = client.get("/accounts/login/")
    check_page(page)
    assert b'name="login"' in page.content
    assert b'name="password"' in page.content
    response = client.post("/accounts/login/", {"login": "Member@acme.test", "password": "correct horse"})
    assert (response.status_code, response["Location"]) == (302, "/")
    check_page(client.get("/"))
    client.post("/accounts/logout/")
    assert client.get("/")["Location"].startswith("/accounts/login/")


def test_a_wrong_password_says_nothing_about_the_account(member: Any) -> None:
    def answer(login: str) -> bytes:
        content = Client().post("/accounts/login/", {"login": login, "password": "wrong horse"}).content
        return re.sub(rb'value="[^"]*"|content="[^"]*"', b"", content)

    assert answer("member@acme.test") == answer("nobody@acme.test")


def test_too_many_wrong_passwords_are_turned_away(member: Any, settings: Any) -> None:
    assert settings.ACCOUNT_RATE_LIMITS["login_failed"] == "10/m/ip,10/m/key"
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "2/m/ip,2/m/key"}
    for _ in range(3):
        Client().post("/accounts/login/", {"login": "member@acme.test", "password": "wrong horse"})
    right = Client().post("/accounts/login/", {"login": "member@acme.test", "password": "correct horse"})
    assert right.status_code != 302, "the right password does not open a door somebody is hammering at"


@pytest.mark.parametrize("opened", [False, True])
def test_sign_up_is_closed_unless_opened(opened: bool, settings: Any, rf: Any) -> None:
    settings.ALLOW_SIGNUP = opened
    assert get_adapter().is_open_for_signup(rf.get("/")) is opened
    answers = {"email": "new@acme.test", "password1": "correct horse 9", "password2": "correct horse 9"}
    Client().post("/accounts/signup/", answers)
    assert User.objects.filter(email="new@acme.test").exists() is opened


def test_the_chat_page_belongs_to_members(member: Any, make_user: Any, tenant: Any, owner: Any) -> None:
    assert Client().get("/")["Location"] == "/accounts/login/?next=/"
    client = Client()
    client.force_login(make_user("alone@nowhere.test"))
    refused = client.get("/")
    assert refused.status_code == 403
    assert b"organisation" in refused.content
    client.force_login(member)
    page = client.get("/")
    check_page(page)
    assert "csrftoken" in page.cookies
    assert page["X-Frame-Options"] == "DENY"
    mine = Conversation.objects.create(tenant=tenant, user=member, title="m")
    theirs = Conversation.objects.create(tenant=tenant, user=owner, title="t")
    check_page(client.get(f"/c/{mine.pk}/"))
    assert client.get(f"/c/{theirs.pk}/").status_code == 404


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_theme_cookie_is_no_way_into_the_page(theme: str, member: Any) -> None:
    client = Client()
    client.force_login(member)
    client.cookies["theme"] = theme
    assert f'data-theme="{theme}"'.encode() in client.get("/").content
    client.cookies["theme"] = '"><script>alert(1)</script>'
    assert b'data-theme="system"' in client.get("/").content


def admin_pages() -> list[str]:
    from django.contrib import admin

    names = [f"{m._meta.app_label}_{m._meta.model_name}" for m in admin.site._registry]
    return ["admin:index", *(f"admin:{name}_changelist" for name in names)]


@pytest.mark.parametrize("name", admin_pages())
def test_admin_lists_keep_to_the_policy(name: str, operator: Client, member: Any, tenant: Any) -> None:
    services.issue_api_key(user=member, tenant=tenant, name="k")
    check_page(operator.get(reverse(name)))


@pytest.mark.parametrize("model", ["accounts_user", "tenants_tenant", "conversations_assistant",
                                   "documents_knowledgebase", "accounts_apikey"])  # fmt: skip
def test_admin_forms_keep_to_the_policy(model: str, operator: Client) -> None:
    response = operator.get(reverse(f"admin:{model}_add"))
    check_page(response)
    assert b"<form" in response.content


def test_admin_changes_a_person(operator: Client, member: Any) -> None:
    check_page(operator.get(reverse("admin:accounts_user_change", args=[member.pk])))
    check_page(operator.get(reverse("admin:auth_user_password_change", args=[member.pk])))
    answers = {"email": "New@Acme.test", "usable_password": "true", "password1": "correct horse 9", "password2": "correct horse 9"}  # fmt: skip
    created = operator.post(reverse("admin:accounts_user_add"), answers)
    assert created.status_code == 302, created.context["adminform"].form.errors
    client = Client()
    signed = client.post("/accounts/login/", {"login": "new@acme.test", "password": "correct horse 9"})
    assert signed.status_code == 302, "a person made in the admin can sign in"


def test_admin_is_for_operators_only(member: Any) -> None:
    client = Client()
    client.force_login(member)
    assert client.get("/admin/").status_code == 302


def test_a_key_made_in_the_admin_is_shown_once(operator: Client, member: Any, tenant: Any) -> None:
    page = operator.post(
        reverse("admin:accounts_apikey_add"), {"tenant": tenant.pk, "user": member.pk, "name": "<b>ci"}, follow=True
    )
    check_page(page)
    keys = re.findall(rb"fn_[\w-]{40,}", page.content)
    assert len(keys) == 1
    found = actor_of_key(keys[0].decode())
    assert found
    assert found[0].user_id == member.pk
    assert b"<b>ci" not in page.content
    again = operator.get(reverse("admin:accounts_apikey_changelist"))
    assert keys[0] not in again.content
    row = APIKey.objects.get()
    operator.post(reverse("admin:accounts_apikey_changelist"), {"action": "revoke", "_selected_action": [row.pk]})
    assert actor_of_key(keys[0].decode()) is None
