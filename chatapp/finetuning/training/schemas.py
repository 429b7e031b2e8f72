"""What the HTTP API takes and gives of training runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Schema
from pydantic import Field

from chatapp.finetuning.training import words
from chatapp.finetuning.training.models import BaseModel, TrainingRun

__all__ = ["BaseOut", "RunDetail", "RunIn", "RunOut", "RunPage"]

LONGEST_CURVE = 2000


class RunIn(Schema):
    dataset_version: str = Field(description="The id of a frozen version.")
    base: str | None = Field(default=None, description="The id of a base model, to train here.")
    language_model: int | None = Field(default=None, description="An entry of the catalogue, to train at its provider.")
    hosted_model: str = Field(default="", max_length=300, description="What the provider trains from.")
    training_price: float | None = Field(
        default=None, description="What the provider asks, in US dollars a million trained tokens. Null: the entry's."
    )
    name: str = Field(default="", max_length=200)
    recipe: dict[str, str | int | float | None] = Field(
        default_factory=dict, description="What is left out has a default."
    )


class BaseOut(Schema):
    id: str
    name: str
    architecture: str
    parameters: int
    context_window: int = Field(description="Tokens.")
    digest: str

    @classmethod
    def of(cls, base: BaseModel) -> BaseOut:
        names = ("name", "architecture", "parameters", "context_window", "digest")
        return cls(id=str(base.pk), **{name: getattr(base, name) for name in names})


class RunOut(Schema):
    id: str
    name: str
    state: str
    said: str
    stage: str
    trainer: str
    method: str
    dataset_version: str
    base: str | None
    hosted_model: str
    training_price: float | None = Field(description="As it was said at the start.")
    recipe: dict[str, Any]
    step: int
    max_steps: int
    progress: float
    attempts: int
    resumed_from: int | None
    estimate: dict[str, Any]
    metrics: dict[str, Any]
    cost: float | None
    error: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None

    @classmethod
    def of(cls, run: TrainingRun) -> RunOut:
        return cls(**_run(run))


class Point(Schema):
    step: int
    loss: float | None
    eval_loss: float | None
    learning_rate: float | None
    tokens_per_second: float | None
    memory: int | None


class Sample(Schema):
    step: int
    row_key: str
    expected: str
    output: str


class RunDetail(RunOut):
    points: list[Point]
    samples: list[Sample]
    record: dict[str, Any]
    events: list[dict[str, Any]] = Field(description="Interruptions and refusals, oldest first.")

    @classmethod
    def of(cls, run: TrainingRun) -> RunDetail:
        points = run.points.order_by("step")[:LONGEST_CURVE].values(*Point.model_fields)
        samples = run.samples.order_by("step", "row_key").values(*Sample.model_fields)
        return cls(
            **_run(run), points=[Point(**row) for row in points], samples=[Sample(**row) for row in samples],
            record=run.record, events=run.report.get("events", []),
        )  # fmt: skip


class RunPage(Schema):
    items: list[RunOut]
    next_cursor: str | None = None


def _run(run: TrainingRun) -> dict[str, Any]:
    return {
        "id": str(run.pk), "name": run.name, "state": run.state, "said": words.state_of(run), "stage": run.stage,
        "trainer": run.trainer, "method": run.method, "dataset_version": str(run.dataset_version_id),
        "base": str(run.base_id) if run.base_id else None, "hosted_model": run.hosted_model,
        "training_price": run.hosted.get("training_price"), "recipe": run.recipe,
        "step": run.step, "max_steps": run.max_steps, "progress": round(run.progress, 3), "attempts": run.attempts,
        "resumed_from": run.resumed_from, "estimate": run.estimate, "metrics": run.metrics,
        "cost": None if run.cost is None else float(run.cost), "error": run.last_error or None, "created": run.created,
        "started": run.started, "finished": run.finished,
    }  # fmt: skip
