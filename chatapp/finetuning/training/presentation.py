"""Runs as their pages show them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chatapp.finetuning.training import words
from chatapp.finetuning.training.estimate import Estimate
from chatapp.finetuning.training.folders import log_tail
from chatapp.finetuning.training.models import TrainingRun
from knowledge.tenants.access import Actor

__all__ = ["estimate_facts", "line_of", "run_context"]

TONES = {"done": "good", "failed": "bad", "cancelled": "", "queued": "warn", "running": "warn"}
SHOWN_POINTS = 40
NAMES = {
    "learning_rate": "Learning rate", "epochs": "Passes over the rows", "batch": "Rows at once", "rank": "Rank",
    "accumulation": "Batches a step", "max_length": "Longest row (tokens)", "warmup_share": "Share of steps to warm up",
    "weight_decay": "Weight decay", "alpha": "Alpha", "dropout": "Dropout", "evaluations": "Looks at held-out rows",
    "early_stopping": "Looks without improvement before it ends", "seed": "Seed", "method": "Method",
    "learning_rate_multiplier": "Learning rate multiplier",
}  # fmt: skip


ADAPTER_ONLY = ("rank", "alpha", "dropout")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    run: TrainingRun
    tone: str
    said: str
    from_: str
    is_open: bool


def line_of(run: TrainingRun) -> RunLine:
    return RunLine(
        run=run, tone=TONES[run.state], said=words.state_of(run), from_=run.base.name if run.base else run.hosted_model,
        is_open=words.is_open(run),
    )  # fmt: skip


@dataclass(slots=True)
class Sampled:
    """A held-out prompt with what the model should say, and said at each step."""

    expected: str
    outputs: list[tuple[int, str]] = field(default_factory=list)


def run_context(run: TrainingRun, *, actor: Actor) -> dict[str, Any]:
    """Return what the page of a run shows, and the part of it that is drawn anew while it goes on."""
    version = getattr(run, "model_version", None)
    points = list(run.points.order_by("-step")[:SHOWN_POINTS])
    return {
        "here": "training", "run": run, "line": line_of(run), "actor": actor, "facts": _facts(run),
        "recipe": [(NAMES.get(name, name), value) for name, value in run.recipe.items() if name not in _unused(run)],
        "events": [f"{event['words']}" for event in run.report.get("events", [])],
        "points": points, "samples": _samples(run), "version": version,
        "register_error": run.report.get("register_error", ""),
        "can_resume": run.state in (TrainingRun.State.FAILED, TrainingRun.State.CANCELLED),
        "record": json.dumps(run.record, indent=2, ensure_ascii=False) if run.record else "",
        "log": log_tail(run) if actor.can_administer else "",
    }  # fmt: skip


def _unused(run: TrainingRun) -> tuple[str, ...]:
    """Return what a recipe names and nobody wants to read: what the method makes no use of."""
    return ("method", *ADAPTER_ONLY) if run.method == TrainingRun.Method.FULL else ("method",)


def _facts(run: TrainingRun) -> list[tuple[str, str]]:
    version, metrics, estimate = run.dataset_version, run.metrics, run.estimate
    facts = [
        ("Data", f"{version.dataset.name}, version {version.number} ({estimate.get('rows', 0):,} rows)"),
        ("From", run.base.name if run.base else run.hosted_model),
        ("Method", run.get_method_display() if run.base else "the provider’s own"),
        ("Computed on", str(run.report.get("device", ""))),
        ("Trained weights", f"{run.report['trainable']:,}" if run.report.get("trainable") else ""),
        ("Gone on from", f"step {run.resumed_from:,}" if run.resumed_from else ""),
        ("Expected to take", words.duration(estimate["seconds"]) if estimate.get("seconds") else ""),
        ("Loss at the end", _number(metrics.get("loss"))),
        ("On held-out rows before", _number(run.points.filter(step=0).values_list("eval_loss", flat=True).first())),
        ("On held-out rows", _number(metrics.get("eval_loss"))),
        ("Tokens a second", f"{metrics['tokens_per_second']:,.0f}" if metrics.get("tokens_per_second") else ""),
        ("Memory at its peak", words.size(metrics["memory"]) if metrics.get("memory") else ""),
        ("Trained tokens", f"{metrics['trained_tokens']:,}" if metrics.get("trained_tokens") else ""),
        ("Cost", _dollars(run)),
        ("SHA-256 of the weights", str(run.report.get("digest", ""))),
    ]
    return [(label, value) for label, value in facts if value]


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else ""


def _dollars(run: TrainingRun) -> str:
    said = run.hosted.get("training_price")
    how = "" if said is None else f", at {_price(said)}, as said at the start"
    if run.cost is not None:
        return f"${run.cost:,.2f}{how}"
    expected = run.estimate.get("dollars")
    if run.trainer == TrainingRun.Trainer.HOSTED:
        return f"about ${expected:,.2f} expected{how}" if expected is not None else "not known here"
    return ""


def _price(dollars: float) -> str:
    return f"${dollars:,.10g} a million tokens"


def _samples(run: TrainingRun) -> list[Sampled]:
    found: dict[str, Sampled] = {}
    for sample in run.samples.order_by("step", "row_key"):
        output = sample.output if sample.output.strip() else "(nothing but blanks)"
        found.setdefault(sample.row_key, Sampled(sample.expected)).outputs.append((sample.step, output))
    for one in found.values():
        if len(one.outputs) > 2:  # the first and the last say what was learned; the page stays short
            one.outputs = [one.outputs[0], one.outputs[-1]]
    return list(found.values())


def estimate_facts(found: Estimate) -> Iterable[tuple[str, str]]:
    """Return what an estimate says, as labels and values."""
    facts = [("Rows", f"{found.rows:,}, {found.tokens:,} tokens once")]
    if found.steps:
        facts.append(("Steps", f"{found.steps:,}"))
    if found.seconds is not None:
        how = "from an earlier run" if found.measured else "a rough guess from the size of the model"
        facts.append(("Time", f"about {words.duration(found.seconds)} ({how})"))
    if found.memory is not None:
        facts.append(("Memory", f"about {words.size(found.memory)} of {words.size(found.available)} ({found.machine})"))
    if found.dollars is not None:
        how = f", at {_price(found.price)}, as you said" if found.price is not None and found.price_was_said else ""
        facts.append(("Cost", f"about ${found.dollars:,.2f}{how}"))
    return facts
