"""A provider trains: files and a job over real HTTP, polled, and never two jobs of one run whatever breaks."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from scripted_tuning import ScriptedTuning
from training_world import frozen_version, start_worker

from chatapp.finetuning.datasets.models import RowSource
from chatapp.finetuning.training import hosted, services
from chatapp.finetuning.training.models import TrainingRun
from chatapp.finetuning.training.recipes import RecipeRefused
from chatapp.language_models.budgets import BudgetExhausted
from chatapp.language_models.models import Budget, LanguageModel, UsageEntry
from knowledge.documents import jobs
from knowledge.documents.deletions.places import Subject, registered
from knowledge.tenants.access import system_actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def provider() -> Iterator[ScriptedTuning]:
    with ScriptedTuning() as server:
        yield server


@pytest.fixture
def entry(db: None, provider: ScriptedTuning) -> LanguageModel:
    """Shared with every organisation: those of an organisation itself may not name this machine."""
    return LanguageModel.objects.create(
        tenant=None, slug="tunable", name="Tunable", model="openai/gpt-small", api_base=provider.url, source="added",
        provider="openai", options={},
    )  # fmt: skip


@pytest.fixture
def run(tenant: Any, entry: LanguageModel) -> TrainingRun:
    return services.start_hosted_run(
        actor=system_actor(tenant), version=frozen_version(tenant), model=entry, hosted_model="", recipe={"epochs": 2}
    )


def step(run: TrainingRun) -> TrainingRun:
    """Do one step at once, whenever it would be its turn."""
    TrainingRun.objects.filter(pk=run.pk, state="queued").update(not_before=run.created)
    hosted.run_hosted(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_rows_go_out_a_job_is_made_followed_and_its_model_kept(run: TrainingRun, provider: ScriptedTuning) -> None:
    step(run)
    (name, text), (_, held_out) = provider.files.values()
    assert name == f"footnote-{run.pk}-train.jsonl"
    messages = [json.loads(line)["messages"] for line in text.strip().splitlines()]
    assert len(messages) == 16
    assert len(held_out.strip().splitlines()) == 4
    assert [message["role"] for message in messages[0]] == ["user", "assistant"]
    assert (run.state, run.stage, run.attempts) == ("queued", "queued", 0)
    step(run)
    assert run.stage == "running"
    step(run)
    (job,) = provider.jobs.values()
    assert job["hyperparameters"] == {"n_epochs": 2}
    assert (run.state, run.hosted["job"]) == ("done", job["id"])
    assert run.hosted["model"] == f"openai/ft:gpt-small:org:{run.hosted['key']}"
    assert run.metrics == {"trained_tokens": 2400}
    assert run.record["dataset"]["content_hash"] == run.dataset_version.content_hash
    assert run.cost is None  # nobody told the price
    assert provider.files == {}  # the rows do not stay there
    assert run.hosted["files_deleted"]


def test_who_has_nothing_left_to_spend_starts_no_training_of_a_provider(tenant: Any, entry: LanguageModel) -> None:
    Budget.objects.create(tenant=tenant, tokens=10)
    UsageEntry.objects.create(tenant=tenant, model="m", purpose="answer", status="ok", prompt_tokens=11)
    with pytest.raises(BudgetExhausted):
        services.start_hosted_run(
            actor=system_actor(tenant), version=frozen_version(tenant), model=entry, hosted_model="", recipe={}
        )
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("options", [{}, {"training_price": 1}])
def test_a_price_that_was_said_decides_what_it_costs_and_whether_the_budget_has_it(
    tenant: Any, entry: LanguageModel, options: dict[str, Any]
) -> None:  # fmt: skip
    entry.options = options
    entry.save()
    Budget.objects.create(tenant=tenant, dollars=Decimal(60))
    UsageEntry.objects.create(tenant=tenant, model="m", purpose="answer", status="ok", cost=Decimal("8.80"))
    version, actor = frozen_version(tenant), system_actor(tenant)

    def start(price: Any) -> TrainingRun:
        return services.start_hosted_run(
            actor=actor, version=version, model=entry, hosted_model="", recipe={"epochs": 2}, price=price
        )

    with pytest.raises(
        BudgetExhausted, match=r"expected to cost 51\.21 US dollars, but the budget of your organisation"
    ):
        start(40_010)
    assert not TrainingRun.objects.exists()
    run = start("40000")  # 16 rows of 40 tokens, twice: 51.20 dollars, all that is left
    assert run.estimate["dollars"] == pytest.approx(51.2)
    assert (run.estimate["price"], run.estimate["price_was_said"]) == (40_000, True)
    for _ in range(3):
        step(run)
    assert (run.state, run.cost) == ("done", Decimal(96))  # 2,400 tokens, as the provider counts them
    assert UsageEntry.objects.get(run_ref=run.pk).cost == Decimal(96)


def test_a_budget_of_tokens_alone_does_not_say_what_may_be_spent(tenant: Any, entry: LanguageModel) -> None:
    Budget.objects.create(tenant=tenant, tokens=10)
    run = services.start_hosted_run(
        actor=system_actor(tenant), version=frozen_version(tenant), model=entry, hosted_model="", recipe={}, price=9
    )
    assert run.state == "queued"


@pytest.mark.parametrize("price", [-1, "a lot", float("nan"), 1e9])
def test_a_price_that_makes_no_sense_is_refused_in_words(tenant: Any, entry: LanguageModel, price: Any) -> None:
    with pytest.raises(RecipeRefused, match="The price of training a million tokens, in US dollars, must be"):
        services.start_hosted_run(
            actor=system_actor(tenant), version=frozen_version(tenant), model=entry, hosted_model="", recipe={},
            price=price,
        )  # fmt: skip
    assert not TrainingRun.objects.exists()


def test_files_that_stay_at_the_provider_are_told_when_a_document_is_deleted(
    run: TrainingRun, provider: ScriptedTuning, tenant: Any
) -> None:  # fmt: skip
    document = uuid.uuid4()
    row = run.dataset_version.rows.first()
    RowSource.objects.bulk_create([RowSource(row=row, role="oracle", document_ref=document)])
    subject = Subject(tenant=str(tenant.pk), knowledge_base="", document=str(document))
    (place,) = [place for place in registered() if place.key == "training_sent"]
    assert place.count(subject).count == 0
    provider.refuse = {"DELETE /file": [500]}
    for _ in range(3):
        step(run)
    assert run.state == "done"
    found = place.count(subject)
    assert (found.count, "“Widgets on gpt-small”. Delete the files there." in found.note) == (1, True)


def test_the_cost_is_the_trained_tokens_times_the_price(
    tenant: Any, entry: LanguageModel, provider: ScriptedTuning
) -> None:  # fmt: skip
    entry.options = {"training_price": 25}
    entry.save()
    version = frozen_version(tenant)
    run = services.start_hosted_run(
        actor=system_actor(tenant), version=version, model=entry, hosted_model="gpt-large", recipe={"epochs": 2}
    )
    assert run.estimate["tokens"] == 16 * 40
    assert run.estimate["dollars"] == pytest.approx(16 * 40 * 2 * 25 / 1e6)
    for _ in range(3):
        step(run)
    assert run.cost == Decimal("0.0600")
    used = UsageEntry.objects.get(run_ref=run.pk)
    assert (used.purpose, used.prompt_tokens, used.cost) == ("training", 2400, Decimal("0.06"))
    assert next(iter(provider.jobs.values()))["model"] == "gpt-large"


def test_a_worker_killed_between_job_and_row_makes_no_second_job(run: TrainingRun, provider: ScriptedTuning) -> None:
    worker = start_worker(
        "from chatapp.finetuning.training import hosted\nhosted.run_hosted(run_id=uuid.UUID(sys.argv[1]))",
        str(run.pk), FAIL_AT="between_job_and_row:kill9",
    )  # fmt: skip
    assert worker.wait(timeout=120) == -9
    run.refresh_from_db()
    assert (run.state, len(provider.jobs)) == ("running", 1)
    assert run.hosted["creating"]
    assert "job" not in run.hosted
    assert jobs.release_leases_of_dead_workers() == 1
    step(run)
    assert run.hosted["job"] == "ftjob-1"
    for _ in range(2):
        step(run)
    assert run.state == "done"
    assert provider.calls["POST /jobs"] == 1
    assert provider.calls["POST /files"] == 2
    assert len(provider.jobs) == 1


def test_what_was_sent_is_looked_for_and_nothing_goes_out_while_that_fails(
    run: TrainingRun, provider: ScriptedTuning
) -> None:  # fmt: skip
    provider.files["file-9"] = (f"footnote-{run.pk}-train.jsonl", "{}")
    TrainingRun.objects.filter(pk=run.pk).update(hosted={**run.hosted, "train_file_sent": True, "creating": True})
    provider.refuse = {"GET /files": [503], "GET /jobs": [500]}
    step(run)
    assert (run.state, provider.calls["POST /files"]) == ("queued", 0)
    assert "It is asked again in 30 seconds; nothing is sent twice." in run.last_error
    step(run)
    assert run.hosted["train_file"] == "file-9"
    assert provider.calls["POST /jobs"] == 0  # the list of jobs failed
    step(run)
    assert (provider.calls["POST /jobs"], run.hosted["job"]) == (1, "ftjob-1")


def test_polling_goes_on_over_errors_and_revoked_keys(run: TrainingRun, provider: ScriptedTuning) -> None:
    step(run)
    provider.refuse = {"GET /job": [500, 401, 429, 503]}
    for _ in range(4):
        step(run)
        assert (run.state, run.attempts) == ("queued", 0)
        assert run.last_error
    for _ in range(2):
        step(run)
    assert (run.state, run.last_error, len(provider.jobs)) == ("done", "", 1)


def test_a_refusal_before_the_job_ends_the_run_with_the_providers_words(
    run: TrainingRun, provider: ScriptedTuning
) -> None:  # fmt: skip
    provider.refuse = {"POST /jobs": [400]}
    step(run)
    assert run.state == "failed"
    assert "Scripted refusal: row 3 is too long." in run.last_error


def test_a_job_that_fails_there_says_why(run: TrainingRun, provider: ScriptedTuning) -> None:
    provider.stages, provider.error = ["queued", "failed"], {"code": "bad", "message": "Too few rows.", "param": None}
    for _ in range(2):
        step(run)
    assert (run.state, run.last_error) == ("failed", "The provider stopped the training: Too few rows.")


def test_cancelling_tells_the_provider(run: TrainingRun, provider: ScriptedTuning, tenant: Any) -> None:
    step(run)
    services.cancel_run(actor=system_actor(tenant), run=run)
    step(run)
    assert (run.state, provider.jobs["ftjob-1"]["status"]) == ("cancelled", "cancelled")


def test_cancelled_before_anything_was_sent_sends_nothing(
    run: TrainingRun, provider: ScriptedTuning, tenant: Any
) -> None:  # fmt: skip
    services.cancel_run(actor=system_actor(tenant), run=run)
    step(run)
    assert (run.state, provider.calls.total()) == ("cancelled", 0)


def test_who_cannot_be_asked_is_said_before_the_start(tenant: Any, entry: LanguageModel) -> None:
    version, actor = frozen_version(tenant), system_actor(tenant)
    entry.model = "anthropic/claude"
    with pytest.raises(RecipeRefused, match="offers no fine-tuning that can be reached from here"):
        services.start_hosted_run(actor=actor, version=version, model=entry, hosted_model="", recipe={})
    entry.model = "openai/x"
    for recipe, said in (({"epochs": 0}, "between 1 and 50"), ({"rank": 4}, "takes no setting “rank”"),
                         ({"seed": "x"}, "must be a whole number")):  # fmt: skip
        with pytest.raises(RecipeRefused, match=said):
            services.start_hosted_run(actor=actor, version=version, model=entry, hosted_model="", recipe=recipe)
