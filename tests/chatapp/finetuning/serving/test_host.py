"""The host: an operator's vLLM gets adapters and appears in the catalogue; a server of ours that cannot start says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tuned_world
from scripted_vllm import ScriptedVLLM

from chatapp.finetuning.registry import services as registry
from chatapp.finetuning.serving import services
from chatapp.finetuning.serving.errors import ServerNotFound, ServingRefused
from chatapp.finetuning.serving.host import Host
from chatapp.finetuning.serving.models import ModelServer
from chatapp.finetuning.serving.naming import base_name, version_name, vllm_command
from chatapp.language_models.keys import keys_of
from chatapp.language_models.models import LanguageModel
from knowledge.tenants.access import system_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


@pytest.fixture
def version(make_version: Callable[..., Any]) -> Any:
    return make_version()


@pytest.fixture
def vllm(version: Any, settings: Any) -> Iterator[ScriptedVLLM]:
    with ScriptedVLLM(base_name(version.base)) as server:
        settings.VLLM_ADDRESSES, settings.VLLM_API_KEY = [server.address], "vllm-key"
        yield server


def test_a_vllm_gets_the_adapters_and_appears_in_the_catalogue(
    host: Host, version: Any, vllm: ScriptedVLLM, admin: Any
) -> None:
    registry.promote(admin, version.pk, force="test")
    row = services.start_server(admin, base=version.base_id, kind="vllm", address=vllm.address + "/v1")
    host.look()
    row.refresh_from_db()
    version.refresh_from_db()
    assert (row.state, row.detail, row.loaded) == ("ready", "", [str(version.pk)])
    assert row.load == {"running": 2.0, "waiting": 1.0}
    assert row.seen is not None
    assert vllm.keys == {"Bearer vllm-key"}
    assert vllm.calls == [
        ("/v1/load_lora_adapter", {"lora_name": version_name(version), "lora_path": version.path})
    ]  # fmt: skip
    base, own = row.language_model, version.language_model
    assert (base.model, base.source, base.enabled) == (f"hosted_vllm/{base_name(version.base)}", "served", True)
    assert (own.model, own.source) == (f"hosted_vllm/{version_name(version)}", "fine_tuned")
    assert own.api_base == base.api_base == f"{vllm.address}/v1"
    assert keys_of(own) == keys_of(base) == {"api_key": "vllm-key"}
    alias = LanguageModel.objects.get(pk=version.fine_tuned_model.language_model_id)
    assert alias.target == own
    host.look()
    assert len(vllm.calls) == 1

    services.stop_server(admin, row.pk)
    host.look()
    for entry in (base, own):
        entry.refresh_from_db()
        assert not entry.enabled
    alias.refresh_from_db()
    assert alias.target is None
    row.refresh_from_db()
    assert (row.state, row.loaded) == ("stopped", [])


def test_what_a_person_switched_off_stays_off(host: Host, version: Any, vllm: ScriptedVLLM, admin: Any) -> None:
    row = services.start_server(admin, base=version.base_id, kind="vllm", address=vllm.address)
    host.look()
    version.refresh_from_db()
    LanguageModel.objects.filter(pk=version.language_model_id).update(enabled=False)
    host.look()
    services.stop_server(admin, row.pk)
    host.look()
    services.start_server(admin, base=version.base_id, kind="vllm", address=vllm.address)
    host.look()
    row.refresh_from_db()
    assert row.language_model.enabled
    version.language_model.refresh_from_db()
    assert not version.language_model.enabled


def test_retired_and_stopped_versions_are_taken_off(
    host: Host, version: Any, vllm: ScriptedVLLM, admin: Any, make_version: Any
) -> None:
    from django.utils import timezone

    services.start_server(admin, base=version.base_id, kind="vllm", address=vllm.address)
    other = make_version()
    host.look()
    assert set(vllm.models) == {base_name(version.base), version_name(version), version_name(other)}
    registry.retire(admin, version.pk)
    type(other).objects.filter(pk=other.pk).update(stale=timezone.now())
    host.look()
    assert vllm.models == [base_name(version.base)]
    other.refresh_from_db()
    assert not other.language_model.enabled


def test_a_rank_that_the_server_refuses_is_said_in_words(
    host: Host, training_dir: Any, tenant: Any, admin: Any, settings: Any
) -> None:
    data = tuned_world.make_data(tenant, name="Large answers")
    base = tuned_world.make_base()
    made = registry.register_version(tuned_world.make_run(tenant, data=data, base=base))
    with ScriptedVLLM(base_name(base)) as server:
        settings.VLLM_ADDRESSES = [server.address]
        row = services.start_server(admin, base=base.pk, kind="vllm", address=server.address)
        host.look()
        host.look()
        row.refresh_from_db()
        assert row.state == "ready"
        assert "“Large answers on Tiny” version 1" in row.detail
        assert "--max-lora-rank" in row.detail
        assert len(server.calls) == 1  # it is not asked every second
        made.refresh_from_db()
        assert made.language_model is None
    host.look()
    row.refresh_from_db()
    assert (row.state, row.detail) == ("failed", "The model server does not answer.")
    assert not LanguageModel.objects.get(pk=row.language_model_id).enabled


def test_a_vllm_that_serves_something_else_is_told_apart(host: Host, version: Any, vllm: Any, admin: Any) -> None:
    vllm.models[:] = ["other"]
    row = services.start_server(admin, base=version.base_id, kind="vllm", address=vllm.address)
    host.look()
    row.refresh_from_db()
    assert f"It does not serve {base_name(version.base)}" in row.detail


def test_a_server_that_cannot_start_says_why_and_is_tried_again_later(
    host: Host, admin: Any, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base's folder is not there: the program ends before it imports anything large."""
    monkeypatch.setattr(services, "extra_installed", lambda: True)
    settings.MODELS_DIR, settings.DATA_DIR = tmp_path / "models", tmp_path
    base = tuned_world.make_base()
    row = services.start_server(admin, base=base.pk)
    end = time.monotonic() + 20
    while row.state != "failed" and time.monotonic() < end:
        host.look()
        time.sleep(0.05)
        row.refresh_from_db()
    assert f"There is no folder {base.path}" in row.detail
    assert "started again in 1 s" in row.detail
    assert row.pid is None
    token = tmp_path / "model-servers" / str(row.pk) / "token"
    assert token.stat().st_mode & 0o777 == 0o600
    services.stop_server(admin, row.pk)
    host.look()
    row.refresh_from_db()
    assert (row.state, row.detail) == ("stopped", "")


def test_without_the_extra_it_is_refused_in_words(admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "extra_installed", lambda: False)
    with pytest.raises(ServingRefused, match="make run TRAIN=1"):
        services.start_server(admin, base=tuned_world.make_base().pk)


def test_addresses_come_from_the_operator_and_foreign_bases_do_not_exist(
    admin: Any, tenant: Any, other_tenant: Any
) -> None:
    own = tuned_world.make_base(tenant)
    with pytest.raises(ServingRefused, match="VLLM_ADDRESSES"):
        services.start_server(admin, base=own.pk, kind="vllm", address="http://169.254.169.254")
    with pytest.raises(ServerNotFound):
        services.start_server(system_actor(other_tenant), base=own.pk, kind="vllm")
    row = ModelServer.objects.create(kind="own", base=own)
    with pytest.raises(ServerNotFound):
        services.stop_server(system_actor(other_tenant), row.pk)


def test_the_command_for_vllm_has_room_for_the_rank(version: Any) -> None:
    command = vllm_command(version.base, path="/models/tiny", rank=24)
    assert "--max-lora-rank 32" in command
    assert f"--served-model-name {base_name(version.base)}" in command
