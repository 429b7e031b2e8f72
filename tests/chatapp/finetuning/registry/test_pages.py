"""The pages and the API of versions and servers: what they say, who may do what, and that strangers find nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import tuned_world
from django.test import Client

from chatapp.conversations.models import Assistant
from chatapp.finetuning.registry import gates
from chatapp.finetuning.serving.models import ModelServer
from chatapp.language_models.models import LanguageModel

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:9/v1"


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def page(owner: Any) -> Client:
    return signed_in(owner)


@pytest.fixture
def version(make_version: Callable[..., Any]) -> Any:
    made = make_version()
    tuned_world.serve(made, url=URL, model="m1")
    return made


def call(key: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    if body is None:
        reply = Client().get(f"/api/v1{path}", headers=headers)
    else:
        reply = Client().post(f"/api/v1{path}", json.dumps(body), content_type="application/json", headers=headers)
    return reply.status_code, reply.json()


def text_of(reply: Any) -> str:
    assert reply.status_code == 200, reply.status_code
    return str(reply.content.decode())


def test_an_empty_list_says_where_versions_come_from(page: Client) -> None:
    assert "A training run that has ended becomes a version here" in text_of(page.get("/models/versions/"))
    assert "manage.py add_base_model" in text_of(page.get("/models/servers/"))


def test_a_version_is_promoted_with_a_reason_and_gone_back_from(page: Client, version: Any, make_version: Any) -> None:
    listed = text_of(page.get("/models/versions/"))
    assert "Ferry answers on Tiny" in listed
    assert "Nobody answers" in listed
    refused = page.post(f"/models/versions/{version.pk}/promote", follow=True)
    assert "say why" in text_of(refused)
    done = page.post(f"/models/versions/{version.pk}/promote", {"reason": "First one"}, follow=True)
    assert "Version 1 answers from now on" in text_of(done)
    assert "Promoted without a passed evaluation: First one" in text_of(done)
    second = make_version()
    tuned_world.serve(second, url=URL, model="m2")
    page.post(f"/models/versions/{second.pk}/promote", {"reason": "Second"})
    assert "Go back to version 1" in text_of(page.get("/models/versions/"))
    back = page.post(f"/models/versions/of/{version.fine_tuned_model_id}/back", follow=True)
    assert "Version 1 answers again." in text_of(back)


def test_figures_lineage_and_the_share_are_shown(page: Client, version: Any) -> None:
    import numpy as np

    one = gates.Measured("version 1", np.ones((30, 3)), np.ones((20, 1)))
    none = gates.Measured("its base", np.zeros((30, 3)), np.ones((20, 1)))
    version.gate = gates.verdict(one, base=none, active=None)
    version.metrics = {"evaluation": version.gate["figures"]}
    version.save(update_fields=["gate", "metrics"])
    shown = text_of(page.get(f"/models/versions/{version.pk}/"))
    assert "Nothing fell against its base." in shown
    assert "1.00 (1.00 to 1.00)" in shown
    assert version.digest in shown
    assert version.data_hash in shown
    said = text_of(page.post(f"/models/versions/{version.pk}/canary", {"share": "15"}, follow=True))
    assert "Version 1 answers 15 % of conversations." in said
    assert "whole number from 0 to 100" in text_of(
        page.post(f"/models/versions/{version.pk}/canary", {"share": "x"}, follow=True)
    )


def test_what_retiring_would_do_is_told_before_it_is_done(
    page: Client, version: Any, make_version: Any, make_user: Any, tenant: Any, other_tenant: Any
) -> None:
    alias = version.fine_tuned_model.language_model
    Assistant.objects.create(tenant=tenant, slug="own", name="Own <entry>", language_model=version.language_model)
    Assistant.objects.create(tenant=other_tenant, slug="far", name="Far away", language_model=version.language_model)

    def told(row: Any = version) -> str:
        whole = text_of(page.get(f"/models/versions/{row.pk}/"))
        return " ".join(whole.partition('<summary class="button danger">Retire')[2].partition("</details>")[0].split())

    shown = told()  # nobody answers with the model yet
    assert "Assistants that answer with it: “Own &lt;entry&gt;” and 1 of other organisations." in shown
    assert "This would be refused. It answers for “Own &lt;entry&gt;” and 1 of other organisations." in shown
    assert 'type="submit" disabled>Retire it' in shown
    Assistant.objects.update(language_model=alias)
    shown = told()
    assert "No assistant answers with it. Nothing answers under its name after that" in shown
    assert "refused" not in shown
    page.post(f"/models/versions/{version.pk}/promote", {"reason": "First"})
    shown = told()
    assert "Assistants that answer with it: “Own &lt;entry&gt;” and 1 of other organisations." in shown
    assert "This would be refused. It answers for" in shown
    assert "after that" not in shown
    other = LanguageModel.objects.create(slug="other", name="Other & co", model="openai/x", source="added")
    LanguageModel.objects.filter(pk=alias.pk).update(fallback=other)
    shown = told()
    assert "Its fallback, Other &amp; co, answers after that." in shown
    assert "disabled" not in shown
    second = make_version()
    tuned_world.serve(second, url=URL, model="m2")
    assert "No assistant answers with it. Version 1 answers after that." in told(second)
    page.post(f"/models/versions/{second.pk}/promote", {"reason": "Second"})
    assert "This would be refused. This version answers. Go back to the one before" in told(second)
    assert "Version 2 answers after that." in told()
    page.post(f"/models/versions/{version.pk}/retire")
    assert told() == ""
    assert "Its fallback, Other &amp; co, answers after that." in told(second)
    editor = signed_in(make_user("editor@acme.test", tenant=tenant, role="editor"))
    assert "Retire" not in text_of(editor.get(f"/models/versions/{second.pk}/"))


def test_a_stale_version_says_what_that_means(page: Client, version: Any) -> None:
    from django.utils import timezone

    version.stale = timezone.now()
    version.save(update_fields=["stale"])
    shown = text_of(page.get(f"/models/versions/{version.pk}/"))
    assert "Weights cannot forget it" in shown
    assert "Stopped: its documents were deleted" in shown
    assert "Promote</button>" not in shown


def test_the_api_tells_and_does_the_same(version: Any, api_key: str) -> None:
    status, models = call(api_key, "/fine-tuned-models")
    assert (status, models[0]["versions"][0]["id"]) == (200, str(version.pk))
    assert models[0]["entry"] == version.fine_tuned_model.language_model.slug
    status, problem = call(api_key, f"/model-versions/{version.pk}/promote", {})
    assert (status, problem["code"]) == (409, "registry_refused")
    status, promoted = call(api_key, f"/model-versions/{version.pk}/promote", {"reason": "API"})
    assert (status, promoted["state"], promoted["answers"]) == (200, "active", True)
    status, whole = call(api_key, f"/model-versions/{version.pk}")
    assert [event["kind"] for event in whole["events"]] == ["promoted", "registered"]
    assert call(api_key, f"/fine-tuned-models/{models[0]['id']}/rollback", {})[0] == 409
    assert call(api_key, f"/model-versions/{version.pk}/canary", {"share": 101})[0] == 422
    status, retired = call(api_key, f"/model-versions/{version.pk}/retire", {})
    assert (status, retired["state"]) == (200, "retired")


def test_an_evaluation_is_queued_once(
    version: Any, api_key: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    from chatapp.finetuning.registry import tasks

    sent: list[str] = []

    class Task:
        @staticmethod
        def delay(*, version_id: str) -> None:
            sent.append(version_id)

    monkeypatch.setattr(tasks, "check_version", Task)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            status, reply = call(api_key, f"/model-versions/{version.pk}/check", {})
        assert (status, reply["gate"]["verdict"]) == (202, "running")
    assert sent == [str(version.pk)]


def test_servers_are_started_and_stopped(
    page: Client, version: Any, api_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chatapp.finetuning.serving import services as serving
    from chatapp.finetuning.serving import views

    for module in (serving, views):
        monkeypatch.setattr(module, "extra_installed", lambda: True)
    shown = text_of(page.get("/models/servers/"))
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True vllm serve" in shown
    begun = page.post("/models/servers/start", {"base": version.base_id}, follow=True)
    assert "Waits to be started" in text_of(begun)
    row = ModelServer.objects.get()
    row.state, row.load, row.loaded = "ready", {"running": 1, "memory": {"process": 2**20}}, [str(version.pk)]
    row.save()
    shown = text_of(page.get("/models/servers/"))
    assert "Ferry answers on Tiny, version 1" in shown
    assert "1 running, 0 waiting" in shown
    status, listed = call(api_key, "/model-servers")
    assert (status, listed[0]["state"], listed[0]["loaded"]) == (200, "ready", [str(version.pk)])
    assert call(api_key, f"/model-servers/{row.pk}/stop", {})[1]["wanted"] is False
    assert call(api_key, "/model-servers", {"base": str(version.base_id)})[1]["wanted"] is True


def test_readers_see_nothing_editors_see_and_change_nothing(
    version: Any, tenant: Any, make_user: Callable[..., Any], member: Any
) -> None:
    paths = ("/models/versions/", f"/models/versions/{version.pk}/", "/models/servers/")
    reader = signed_in(member)
    assert {reader.get(path).status_code for path in paths} <= {403, 404}
    editor = signed_in(make_user("editor@acme.test", tenant=tenant, role="editor"))
    assert [editor.get(path).status_code for path in paths] == [200, 200, 200]
    refused = editor.post(f"/models/versions/{version.pk}/promote", {"reason": "mine"}, follow=True)
    assert "Ask an owner or an administrator" in text_of(refused)
    version.refresh_from_db()
    assert version.state == "candidate"


def test_another_organisation_finds_nothing(
    version: Any, other_tenant: Any, make_user: Callable[..., Any]
) -> None:  # fmt: skip
    stranger = signed_in(make_user("boss@other.test", tenant=other_tenant, role="owner"))
    assert "Ferry" not in text_of(stranger.get("/models/versions/"))
    assert stranger.get(f"/models/versions/{version.pk}/").status_code == 404
    for act in ("check", "promote", "canary", "retire"):
        assert stranger.post(f"/models/versions/{version.pk}/{act}", {"reason": "x"}).status_code == 404
    assert stranger.post(f"/models/versions/of/{version.fine_tuned_model_id}/back").status_code == 404


def test_lists_ask_the_database_as_often_for_many(
    page: Client, make_version: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        tuned_world.serve(make_version(), url=URL, model="m")
    with django_assert_max_num_queries(25):
        page.get("/models/versions/")
