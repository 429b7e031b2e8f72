"""What a run would take, before it is started: steps, time, memory, money. From a measured run where there is one."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.db.models import Sum

from chatapp.finetuning.datasets.models import DatasetVersion, TrainingRow
from chatapp.finetuning.training.hardware import Machine, machine
from chatapp.finetuning.training.models import BaseModel, TrainingRun
from chatapp.finetuning.training.recipes import Recipe
from chatapp.language_models.models import LanguageModel

__all__ = ["Estimate", "of_hosted", "of_local"]

START_SECONDS = 15.0
"""Importing and reading, before the first step."""
GPU_STEP_SECONDS = 0.3
"""What a step was seen to take on an H100 however short its rows, with a model of a billion weights."""
PYTHON_BYTES = 900 * 1024 * 1024
"""The process itself with everything imported, measured on a model of no size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Seconds, bytes, US dollars; ``warnings`` are sentences. ``measured``: the speed is that of an earlier run."""

    rows: int
    tokens: int  # of all rows once
    steps: int = 0
    seconds: float | None = None
    measured: bool = False
    memory: int | None = None
    available: int | None = None
    machine: str = ""
    dollars: float | None = None
    price: float | None = None  # a million trained tokens
    price_was_said: bool = False  # by whoever starts the run; else it is the entry's
    warnings: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        return self.memory is None or self.available is None or self.memory <= self.available

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "warnings": list(self.warnings), "fits": self.fits}


def of_local(*, base: BaseModel, recipe: Recipe, version: DatasetVersion) -> Estimate:
    """Reckon a run on this machine."""
    rows, tokens = _amount(version)
    here = machine()
    speed = _measured_speed(base, recipe.method, here)
    per_token = (
        6 if recipe.method == "full" else 4
    ) * base.parameters  # forward and backward; frozen weights have no own
    computing = tokens * recipe.epochs / (speed or max(1.0, here.flops / per_token))
    least = recipe.steps(rows) * GPU_STEP_SECONDS if here.gpu and speed is None else 0.0
    seconds = max(computing, least) + START_SECONDS
    memory = _memory(base, recipe, here)
    return Estimate(
        rows=rows, tokens=tokens, steps=recipe.steps(rows), seconds=round(seconds, 1), measured=speed is not None,
        memory=memory, available=here.memory, machine=here.name,
        warnings=tuple(_warnings(base, recipe, here, seconds=seconds, memory=memory)),
    )  # fmt: skip


def of_hosted(*, model: LanguageModel, version: DatasetVersion, epochs: Any, said: float | None = None) -> Estimate:
    """Reckon what a provider asks for: tokens times passes times its price for training; one that was ``said`` counts
    before the entry's."""
    rows, tokens = _amount(version)
    price = training_price(model) if said is None else said
    warnings = []
    if price is None:
        warnings.append("The price of training is not known here. Look it up at the provider, and fill it in above.")
    passes = float(epochs) if epochs else 3.0
    if not epochs:
        warnings.append("The provider chooses how often it passes over the rows; reckoned with three times.")
    dollars = None if price is None else round(tokens * passes * price / 1_000_000, 4)
    return Estimate(
        rows=rows, tokens=tokens, dollars=dollars, price=price, price_was_said=said is not None,
        warnings=tuple(warnings),
    )  # fmt: skip


def training_price(model: LanguageModel) -> float | None:
    """Return US dollars a million trained tokens, as the entry's options say (``training_price``)."""
    try:
        return float(model.options["training_price"])
    except (KeyError, TypeError, ValueError):
        return None


def _amount(version: DatasetVersion) -> tuple[int, int]:
    """Return training rows and their tokens, as they were counted when the rows were stored."""
    rows = version.rows.filter(state=TrainingRow.State.APPROVED, split=TrainingRow.Split.TRAIN)
    return rows.count(), int(rows.aggregate(sum=Sum("tokens"))["sum"] or 0)


def _measured_speed(base: BaseModel, method: str, here: Machine) -> float | None:
    """Return tokens a second of the last run of this base and method on such a device."""
    done = TrainingRun.objects.filter(base=base, method=method, state=TrainingRun.State.DONE).order_by("-finished")
    for metrics in done.values_list("metrics", flat=True)[:5]:
        speed, device = metrics.get("tokens_per_second"), str(metrics.get("device", ""))
        if speed and (device == here.name if here.gpu else device == "cpu"):
            return float(speed)
    return None


def _memory(base: BaseModel, recipe: Recipe, here: Machine) -> int:
    """Return the bytes at the peak: weights, what is trained with its gradients and moments, and activations."""
    width = 2 if here.gpu else 4
    weights = {"full": 4.0, "qlora": 0.6}.get(recipe.method, float(width)) * base.parameters
    # An adapter of rank r on every layer: about 2r of each weight matrix's side, some tenths of a percent of all.
    trained = base.parameters if recipe.method == "full" else min(base.parameters, _adapter(base, recipe))
    learned = trained * (4 + 8)  # its gradient and Adam's two moments; of an adapter the weights too are small
    side = _side(base)
    layers = max(1.0, base.parameters / (12 * side * side))
    kept = 2.0 if here.gpu else 16.0  # values a layer for each token: few where they are computed anew
    activations = recipe.batch * recipe.max_length * side * layers * kept * width
    logits = recipe.batch * recipe.max_length * 32_000 * 4 if base.parameters > 10_000_000 else 0
    return int(PYTHON_BYTES * (0 if here.gpu else 1) + weights + learned + activations + logits)


def _side(base: BaseModel) -> float:
    """Return about how wide its layers are, from the size alone."""
    return max(64.0, 4.0 * math.cbrt(base.parameters / 12))


def _adapter(base: BaseModel, recipe: Recipe) -> float:
    return 2 * recipe.rank * base.parameters / _side(base)


def _warnings(base: BaseModel, recipe: Recipe, here: Machine, *, seconds: float, memory: int) -> list[str]:
    said = []
    if not here.gpu and base.parameters > settings.TRAINING_CPU_PARAMETERS:
        said.append(
            f"No GPU was found, and without one only models of up to {settings.TRAINING_CPU_PARAMETERS:,} parameters "
            f"are trained; this one has {base.parameters:,}. The run will be refused unless its worker has a GPU."
        )
    elif not here.gpu:
        said.append("No GPU was found: the run computes on the processor, which is slow and fit for tiny models only.")
    if memory > here.memory:
        less = (
            "QLoRA, fewer rows at once or shorter rows"
            if recipe.method != "qlora"
            else "fewer rows at once or shorter rows"
        )
        said.append(
            f"It will probably not fit: about {memory / 2**30:.1f} GiB of {here.memory / 2**30:.1f}. Try {less}."
        )
    if seconds > 24 * 3600:
        said.append(f"It takes about {seconds / 86400:.0f} days. It survives restarts, but think of a smaller model.")
    return said
