"""Starting, watching and stopping runs: the services, the HTTP interface, and the pages over them."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from training_world import frozen_version, small_model

from chatapp.finetuning.training import bases, estimate, extra, hardware, services
from chatapp.finetuning.training.models import BaseModel, TrainingPoint, TrainingRun, TrainingSample
from chatapp.finetuning.training.recipes import defaults
from chatapp.language_models.models import LanguageModel
from knowledge.tenants.access import system_actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

PAGE = "/models/training/"


@pytest.fixture(autouse=True)
def _able(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with the extra and no GPU, whose worker is busy."""
    settings.TRAINING_PYTHON = "/somewhere/python"
    here = hardware.Machine(name="2 processor cores", gpu=False, memory=4 * 2**30, flops=2e10)
    monkeypatch.setattr(estimate, "machine", lambda: here)


@pytest.fixture
def base(tenant: Any, tmp_path: Path) -> BaseModel:
    return bases.add_base(small_model(tmp_path / "small"), "Small", tenant)


@pytest.fixture
def version(tenant: Any) -> Any:
    return frozen_version(tenant)


@pytest.fixture
def run(tenant: Any, version: Any, base: BaseModel) -> TrainingRun:
    return services.start_run(actor=system_actor(tenant), version=version, base=base, recipe={})


@pytest.fixture
def visitor(make_user: Any, tenant: Any) -> Callable[..., Client]:
    """Call with a role to get a signed-in browser."""

    def make(role: str, *, of: Any = None) -> Client:
        client = Client()
        client.force_login(make_user(f"{role}@{(of or tenant).slug}.test", tenant=of or tenant, role=role))
        return client

    return make


def words(response: Any, status: int = 200) -> str:
    """Return the text of a page without its marks."""
    assert response.status_code == status, response.content[:500]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def test_a_run_is_started_from_the_page_once_however_often_it_is_clicked(
    visitor: Any, version: Any, base: BaseModel
) -> None:  # fmt: skip
    admin = visitor("admin")
    said = words(admin.get(f"{PAGE}new/"))
    assert "Style only, experimental." in said
    assert "This version has 16 rows to train on." in said
    assert "No GPU was found" in said
    form = {"version": str(version.pk), "where": f"base:{base.pk}", "method": "qlora", "rank": "8", "epochs": ""}
    first, second = (admin.post(f"{PAGE}new/", form) for _ in range(2))
    assert first["Location"] == second["Location"]
    run = TrainingRun.objects.get()
    assert (run.method, run.recipe["rank"], run.recipe["epochs"], run.max_steps) == ("qlora", 8, 5.0, 20)
    assert "Waiting for a worker." in words(admin.get(first["Location"]))
    other = admin.post(f"{PAGE}new/", {**form, "rank": "4"})
    assert other["Location"] != first["Location"]


def test_reckoning_shows_what_it_takes_and_starts_nothing(visitor: Any, version: Any, base: BaseModel) -> None:
    form = {"version": str(version.pk), "where": f"base:{base.pk}", "method": "lora", "reckon": "1"}
    said = words(visitor("owner").post(f"{PAGE}new/", form))
    assert "Rows 16, 640 tokens once" in said
    assert "Steps 20" in said
    assert "a rough guess from the size of the model" in said
    assert not TrainingRun.objects.exists()


def test_refusals_are_said_in_words_and_keep_what_was_typed(
    visitor: Any, version: Any, base: BaseModel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    admin = visitor("admin")
    form = {"version": str(version.pk), "where": f"base:{base.pk}", "method": "lora", "rank": "many"}
    answer = admin.post(f"{PAGE}new/", form)
    assert "The rank must be a whole number." in words(answer, 422)
    assert 'value="many"' in answer.content.decode()
    settings.TRAINING_PYTHON = ""
    monkeypatch.setattr(extra, "are_here", lambda *parts: False)
    assert "Fine-tuning needs the extra `train`: run `make run TRAIN=1`." in words(
        admin.post(f"{PAGE}new/", {**form, "rank": "4"}), 422
    )


def test_a_version_that_may_change_or_has_no_rows_is_refused(tenant: Any, version: Any, base: BaseModel) -> None:
    nothing = frozen_version(tenant, train=0, held_out=2, slug="nothing")
    with pytest.raises(services.RunRefused, match="has no approved rows"):
        services.start_run(actor=system_actor(tenant), version=nothing, base=base, recipe={})
    version.state = "draft"
    with pytest.raises(services.RunRefused, match="Freeze it first"):
        services.start_run(actor=system_actor(tenant), version=version, base=base, recipe={})


def test_the_page_of_a_run_shows_curve_samples_events_and_record(visitor: Any, run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(
        state="done", step=20, metrics={"loss": 0.5, "eval_loss": 0.75, "seconds": 240, "memory": 2**31},
        report={"events": [{"words": "Interrupted at step 9 (signal 9)."}], "device": "cpu", "digest": "ab" * 32},
        record={"recipe": {"seed": 1}},
    )  # fmt: skip
    TrainingPoint.objects.create(run=run, step=0, eval_loss=3.25, seconds=1)
    TrainingPoint.objects.create(run=run, step=1, loss=2.5, learning_rate=1e-4, seconds=1)
    for step, output in ((0, "bla"), (10, "blue"), (20, "blue [S1]")):
        TrainingSample.objects.create(run=run, step=step, row_key="a", expected="It is <blue> [S1].", output=output)
    page = visitor("editor").get(f"{PAGE}{run.pk}/")
    said = words(page)
    for text in ("Done. The last attempt took 4 minutes.", "Interrupted at step 9 (signal 9).", "It is <blue> [S1].",
                 "Before the training bla", "At step 20 blue [S1]", "2.0 GiB", "On held-out rows before 3.2500",
                 "On held-out rows 0.7500", '"seed": 1', "1 2.5000 1.00e-04 0 3.2500"):  # fmt: skip
        assert text in said, text
    assert "At step 10" not in said
    assert "Go on from" not in said


def test_a_failed_run_says_why_and_can_be_gone_on_with(visitor: Any, run: TrainingRun) -> None:
    words_ = "The loss is no number any more at step 3: the training fell apart. Use a smaller learning rate."
    TrainingRun.objects.filter(pk=run.pk).update(state="failed", last_error=words_, attempts=3, checkpoint="x")
    admin = visitor("admin")
    page = words(admin.get(f"{PAGE}{run.pk}/"))
    assert f"Failed: {words_}" in page
    assert "Go on from the last checkpoint" in page
    admin.post(f"{PAGE}{run.pk}/resume")
    run.refresh_from_db()
    assert (run.state, run.attempts, run.last_error) == ("queued", 0, "")
    assert "Only a run that failed or was cancelled" in words(admin.post(f"{PAGE}{run.pk}/resume", follow=True))
    admin.post(f"{PAGE}{run.pk}/cancel")
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert "Cancelled. What it saved stays" in words(admin.get(PAGE))


def test_going_on_with_a_run_while_the_same_is_under_way_is_refused(
    tenant: Any, run: TrainingRun, version: Any, base: BaseModel
) -> None:  # fmt: skip
    actor = system_actor(tenant)
    services.cancel_run(actor=actor, run=run)
    services.start_run(actor=actor, version=version, base=base, recipe={})
    with pytest.raises(services.RunRefused, match="is under way"):
        services.resume_run(actor=actor, run=run)


@pytest.mark.parametrize(
    ("role", "seen", "changed"), [("reader", 403, 403), ("member", 403, 403), ("editor", 200, 403)]
)
def test_readers_see_nothing_and_editors_change_nothing(
    visitor: Any, run: TrainingRun, role: str, seen: int, changed: int
) -> None:  # fmt: skip
    client = visitor(role)
    for path in (PAGE, f"{PAGE}{run.pk}/"):
        assert client.get(path).status_code in ({seen, 404} if seen != 200 else {200})
    assert client.get(f"{PAGE}new/").status_code == changed
    for act in ("cancel", "resume"):
        assert client.post(f"{PAGE}{run.pk}/{act}").status_code == changed
    assert client.get("/api/v1/training-runs").status_code == seen
    assert client.post(f"/api/v1/training-runs/{run.pk}/cancel").status_code == changed
    run.refresh_from_db()
    assert run.state == "queued"


def test_strangers_meet_what_is_missing(
    visitor: Any, run: TrainingRun, other_tenant: Any, version: Any, base: Any
) -> None:
    stranger = visitor("owner", of=other_tenant)
    for pk in (run.pk, uuid.uuid4()):
        assert stranger.get(f"{PAGE}{pk}/").status_code == 404
        for act in ("cancel", "resume"):
            assert stranger.post(f"{PAGE}{pk}/{act}").status_code == 404
            assert stranger.post(f"/api/v1/training-runs/{pk}/{act}").status_code == 404
        assert stranger.get(f"/api/v1/training-runs/{pk}").status_code == 404
    body = {"dataset_version": str(version.pk), "base": str(base.pk)}
    answer = stranger.post("/api/v1/training-runs", json.dumps(body), content_type="application/json")
    assert answer.status_code == 404
    assert stranger.get(f"{PAGE}new/", {"version": str(version.pk)}).status_code == 404
    assert stranger.get(f"{PAGE}new/", {"where": f"base:{base.pk}"}).status_code == 404
    assert str(run.pk) not in stranger.get(PAGE).content.decode()


def test_runs_over_http(visitor: Any, version: Any, base: BaseModel) -> None:
    admin = visitor("admin")

    def post(path: str, body: dict[str, Any] | None = None) -> Any:
        return admin.post(f"/api/v1/training-runs{path}", json.dumps(body or {}), content_type="application/json")

    made = post(
        "", {"dataset_version": str(version.pk), "base": str(base.pk), "recipe": {"epochs": 1}, "name": "First"}
    )
    assert made.status_code == 202
    run = made.json()
    assert (run["name"], run["state"], run["said"], run["max_steps"]) == ("First", "queued", "Waiting for a worker.", 4)
    assert run["estimate"]["tokens"] == 640
    detail = admin.get(f"/api/v1/training-runs/{run['id']}").json()
    assert (detail["points"], detail["samples"], detail["record"]) == ([], [], {})
    assert [row["id"] for row in admin.get("/api/v1/training-runs").json()["items"]] == [run["id"]]
    assert post(f"/{run['id']}/cancel").json()["state"] == "cancelled"
    assert post(f"/{run['id']}/resume").json()["state"] == "queued"
    for body, status, code in (
        ({"dataset_version": str(version.pk)}, 422, "recipe_refused"),
        ({"dataset_version": str(version.pk), "base": str(base.pk), "recipe": {"rank": "x"}}, 422, "recipe_refused"),
        ({"dataset_version": str(version.pk), "language_model": 99}, 404, "not_found"),
        ({"dataset_version": "x", "base": str(base.pk)}, 404, "not_found"),
    ):
        refused = post("", body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_a_provider_is_offered_where_one_can_be_asked(visitor: Any, tenant: Any, version: Any) -> None:
    make = LanguageModel.objects.create
    openai = make(tenant=tenant, slug="a", name="Hosted one", model="openai/gpt-small", source="added",
                  options={"training_price": 25})  # fmt: skip
    make(tenant=tenant, slug="b", name="Elsewhere", model="anthropic/claude", source="added")
    page = visitor("admin").get(f"{PAGE}new/")
    said = words(page)
    assert "Hosted one" in said
    assert "Elsewhere" not in said
    assert "The rows are sent to the provider" in said
    assert "Cost about $0.05" in said
    assert f'value="entry:{openai.pk}"' in page.content.decode()


def test_the_price_of_training_is_asked_for_and_shown_as_it_was_said(visitor: Any, tenant: Any, version: Any) -> None:
    entry = LanguageModel.objects.create(
        tenant=tenant, slug="a", name="Hosted one", model="openai/gpt-small", source="added"
    )
    admin, where = visitor("admin"), f"entry:{entry.pk}"
    said = words(admin.get(f"{PAGE}new/"))
    assert "The price of training is not known here. Look it up at the provider, and fill it in above." in said
    chosen = {"version": str(version.pk), "where": where, "training_price": "2.5", "epochs": "4"}
    page = admin.post(f"{PAGE}new/", {**chosen, "reckon": "1"})
    said = words(page)
    assert "Cost about $0.01, at $2.5 a million tokens, as you said" in said
    assert "is not known here" not in said
    assert 'name="training_price" type="text" inputmode="decimal" maxlength="20" value="2.5"' in page.content.decode()
    refused = admin.post(f"{PAGE}new/", {**chosen, "training_price": "cheap"})
    assert "The price of training a million tokens, in US dollars, must be a number." in words(refused, 422)
    started = admin.post(f"{PAGE}new/", chosen, follow=True)
    assert "Cost about $0.01 expected, at $2.5 a million tokens, as said at the start" in words(started)
    assert TrainingRun.objects.get().hosted["training_price"] == 2.5


def test_the_price_of_training_over_http(visitor: Any, tenant: Any, version: Any) -> None:
    entry = LanguageModel.objects.create(
        tenant=tenant, slug="a", name="Hosted one", model="openai/gpt-small", source="added",
        options={"training_price": 25},
    )  # fmt: skip
    body = {"dataset_version": str(version.pk), "language_model": entry.pk, "recipe": {"epochs": 1}}
    admin = visitor("admin")

    def post(**more: Any) -> Any:
        return admin.post("/api/v1/training-runs", json.dumps({**body, **more}), content_type="application/json")

    assert post(training_price=-1).status_code == 422
    run = post(training_price=100).json()
    assert (run["training_price"], run["estimate"]["dollars"]) == (100, pytest.approx(0.064))
    admin.post(f"/api/v1/training-runs/{run['id']}/cancel")
    TrainingRun.objects.update(state="cancelled")
    run = post().json()
    assert (run["training_price"], run["estimate"]["dollars"]) == (None, pytest.approx(0.016))


def test_memory_and_time_are_reckoned_by_method(tenant: Any, version: Any, base: BaseModel) -> None:
    base.parameters, base.context_window = 7_000_000_000, 4096
    found = {
        method: estimate.of_local(base=base, recipe=defaults(method, window=4096), version=version)
        for method in ("full", "lora", "qlora")
    }  # fmt: skip
    memory = {method: one.memory or 0 for method, one in found.items()}
    assert memory["full"] > memory["lora"] > memory["qlora"]
    assert 7e9 * 16 < memory["full"] < 7e9 * 50
    assert not found["full"].fits
    assert "It will probably not fit" in " ".join(found["full"].warnings)
    assert "this one has 7,000,000,000" in " ".join(found["lora"].warnings)
    assert not found["lora"].measured


def test_a_run_that_was_measured_makes_the_estimate_better(
    tenant: Any, version: Any, base: BaseModel, run: TrainingRun
) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(
        state="done", finished=run.created, metrics={"tokens_per_second": 64.0, "device": "cpu"}
    )
    found = estimate.of_local(base=base, recipe=defaults("lora", window=256, rows=16), version=version)
    assert found.measured
    assert found.seconds == pytest.approx(640 * 5 / 64 + estimate.START_SECONDS)


def test_what_is_done_without_a_version_is_registered_by_the_next_sweep(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from django.utils import timezone

    from chatapp.finetuning.registry import services as registry
    from chatapp.finetuning.training import tasks

    TrainingRun.objects.filter(pk=run.pk).update(state="done", finished=timezone.now())
    asked: list[Any] = []
    monkeypatch.setattr(registry, "register_version", lambda run: asked.append(run.pk))
    tasks.finish_all()
    assert asked == [run.pk]
