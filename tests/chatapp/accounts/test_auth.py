from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chatapp.accounts import ratelimit
from chatapp.accounts.models import APIKey
from chatapp.accounts.ratelimit import TooManyRequests

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "_parts")]


def me(key: str, scheme: str = "Bearer") -> Any:
    return Client().get("/api/v1/me", headers={"Authorization": f"{scheme} {key}"})


def test_the_last_use_is_noted_once_a_minute(api_key: str) -> None:
    assert APIKey.objects.get().last_used is None
    assert me(api_key).status_code == 200
    first = APIKey.objects.get().last_used
    assert first
    assert timezone.now() - first < timedelta(seconds=30)
    me(api_key)
    assert APIKey.objects.get().last_used == first, "reading must not become writing"
    APIKey.objects.update(last_used=first - timedelta(minutes=2))
    me(api_key)
    assert APIKey.objects.get().last_used >= first


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
def test_only_bearer_is_understood(scheme: str, api_key: str) -> None:
    assert me(api_key, scheme).status_code == 401


def test_a_key_in_the_address_is_not_read(api_key: str) -> None:
    assert Client().get(f"/api/v1/me?key={api_key}&api_key={api_key}").status_code == 401


def test_a_signed_in_person_without_tenant_is_told_so(make_user: Any) -> None:
    client = Client()
    client.force_login(make_user("alone@nowhere.test"))
    response = client.get("/api/v1/me")
    assert response.status_code == 403
    assert "organisation" in response.json()["detail"]


def test_the_session_of_somebody_deactivated_is_nobody(member: Any) -> None:
    client = Client()
    client.force_login(member)
    assert client.get("/api/v1/me").json()["role"] == "member"
    type(member).objects.filter(pk=member.pk).update(is_active=False)
    assert client.get("/api/v1/me").status_code == 401


def test_requests_are_counted_for_each_key_alone() -> None:
    ratelimit.spend("key:1", limit=1)
    ratelimit.spend("key:2", limit=1)
    with pytest.raises(TooManyRequests) as caught:
        for _ in range(3):  # at most one of them may stand in the next minute
            ratelimit.spend("key:1", limit=1)
    assert 1 <= caught.value.retry_after <= 60
    assert not caught.value.permanent


def test_without_redis_nobody_is_turned_away_or_made_to_wait(
    settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nothing.sock"
    monkeypatch.setattr(ratelimit, "_clients", {})
    began = time.monotonic()
    for _ in range(3):
        ratelimit.spend("key:1", limit=0)
    assert time.monotonic() - began < 1


def test_requests_that_come_together_share_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would replace the first, whose end closes its connections under whoever uses them."""
    made = ratelimit.redis.Redis.from_url

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.05)
        return made(*args, **kwargs)

    monkeypatch.setattr(ratelimit, "_clients", {})
    monkeypatch.setattr(ratelimit.redis.Redis, "from_url", slowly)
    with ThreadPoolExecutor(8) as threads:
        clients = list(threads.map(lambda _: ratelimit._client(), range(8)))
    assert len({id(client) for client in clients}) == 1
