"""``manage.py evaluate labels``: how the check fares on what people of an organisation labelled."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence

from chatapp.answering.verification import default_record
from chatapp.conversations.verifying import JUDGES, Thresholds, thresholds_of
from chatapp.evaluation.bootstrap import Figure
from chatapp.evaluation.report import table, with_interval
from chatapp.labelling import selectors
from chatapp.labelling.figures import FEWEST_TO_SHOW, Marked, Quality, quality
from chatapp.labelling.models import SentenceLabel
from knowledge.documents.management.arguments import actor_named, add_tenant
from knowledge.tenants.access import Actor

__all__ = ["HELP", "add_arguments", "measure"]

HELP = "What people of an organisation labelled, and how the check fares on it."


def add_arguments(parser: ArgumentParser) -> None:
    add_tenant(parser)  # type: ignore[arg-type]


def measure(*, out: Callable[[str], object], tenant: str | None, **_: object) -> None:
    """Print the figures of the tenant of that slug."""
    for line in _lines(actor_named(tenant)):
        out(line)


def _lines(actor: Actor) -> Iterator[str]:
    counts = selectors.counts(actor.tenant_id)
    given = ", ".join(f"{words.lower()} {counts[name]}" for name, words in SentenceLabel.Label.choices)
    yield f"{counts.total()} labels: {given}."
    yield from _between_people(actor)
    rows, own = selectors.marked(actor.tenant_id), thresholds_of(actor.tenant_id)
    shipped = default_record()
    yield f"Sentences on which people agree, by verifier {shipped.verifier}; figures of those drawn at random,"
    yield f"AUROC where there are {FEWEST_TO_SHOW} of each kind:"
    limits = [shipped.supported, *([own.supported] if own.record is not None else [])]
    yield from table(_head(own, shipped.supported), list(_rows(rows, limits)))
    if own.record is not None:
        yield f"Own thresholds: record {own.record} of {own.made}; they were fitted to these labels and look too good."


def _between_people(actor: Actor) -> Iterator[str]:
    found = selectors.agreement_of(actor.tenant_id)
    if found is not None:
        alpha = "" if found.alpha is None else f", Krippendorff's alpha {found.alpha:.3f}"
        yield f"Labelled by several people: {found.sentences}; {found.alike:.3f} of their labels are alike{alpha}."


def _head(own: Thresholds, shipped: float) -> Sequence[str]:
    balanced = [f"balanced at {shipped:.2f}", *([f"own, at {own.supported:.2f}"] if own.record is not None else [])]
    return ("judged by", "sentences", "at random", "supported", "verdict agrees", "AUROC", *balanced)


def _rows(rows: Sequence[Marked], limits: Sequence[float]) -> Iterator[Sequence[str]]:
    yield _row("all", quality(rows, limits=limits), len(limits))
    for judge, words in (*JUDGES.items(), ("", "not known")):
        if theirs := [row for row in rows if row.judged_by == judge]:
            yield _row(words, quality(theirs, limits=limits), len(limits))


def _row(name: str, found: Quality, limits: int) -> Sequence[str]:
    """Return the cells of a line, empty ones where there are no sentences for them, or too few."""
    curve = found.curve if found.curve and min(found.curve.held, found.curve.others) >= FEWEST_TO_SHOW else None
    return (
        name, str(found.sentences), str(found.drawn), str(found.held),
        f"{found.agreed:.3f}" if found.drawn else "",
        with_interval(Figure(curve.auroc, curve.low, curve.high)) if curve else "",
        *([f"{share:.3f}" for share in found.balanced] or [""] * limits),
    )  # fmt: skip
