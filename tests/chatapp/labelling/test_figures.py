"""The curve, agreement and fitted thresholds, against values worked out by hand."""

from __future__ import annotations

import random

import pytest

from chatapp.labelling.drawing import drawn
from chatapp.labelling.figures import BOUNDS, FEWEST_TO_FIT, Marked, TooFewLabels, agreement, curve, fitted


def marked(
    chance: float, held: bool, *, at_random: bool = True, by_chance: bool = True, verdict: str = "weak"
) -> Marked:
    return Marked(chance=chance, held=held, open=by_chance, at_random=at_random, verdict=verdict)


def test_the_curve_counts_only_what_was_drawn_at_random() -> None:
    rows = [marked(0.9, True), marked(0.6, False), marked(0.5, True), marked(0.1, False)]
    found = curve([*rows, marked(0.0, True, at_random=False)])
    assert found is not None
    assert (found.held, found.others, found.auroc) == (2, 2, 0.75)
    assert 0 <= found.low < found.auroc < found.high <= 1
    shares = [(p.threshold, p.held_found, p.others_let_through) for p in found.points]
    assert shares == [
        (1.01, 0.0, 0.0), (0.9, 0.5, 0.0), (0.6, 0.5, 0.5), (0.5, 1.0, 0.5), (0.1, 1.0, 1.0), (0.0, 1.0, 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [[], [marked(0.5, True)], [marked(0.5, True), marked(0.5, False, at_random=False)]])
def test_without_both_kinds_there_is_no_curve(rows: list[Marked]) -> None:
    assert curve(rows) is None


def test_the_drawing_marks_the_thresholds_in_force() -> None:
    found = curve([marked(0.9, True), marked(0.6, False), marked(0.5, True), marked(0.1, False)])
    assert found is not None
    drawing = drawn(found, (0.55, 0.2))
    assert drawing.line.startswith("0.0,100.0 0.0,50.0 50.0,50.0 50.0,0.0 100.0,0.0")
    assert [(mark.x, mark.y) for mark in drawing.marks] == [(50.0, 50.0), (50.0, 0.0)]
    assert [row.held_found for row in drawing.rows if row.threshold in (0.9, 0.5)] == [0.5, 1.0]


def test_agreement_is_krippendorffs_alpha() -> None:
    assert agreement([("a", "supported"), ("b", "supported")]) is None
    same = agreement([("a", "supported"), ("a", "supported")])
    assert same is not None
    assert (same.alike, same.alpha) == (1.0, None)
    labels = [("a", "s"), ("a", "s"), ("b", "n"), ("b", "n"), ("c", "s"), ("c", "n"), ("alone", "s")]
    found = agreement(labels)
    assert found is not None
    assert (found.sentences, found.alike) == (3, pytest.approx(2 / 3))
    # Observed disagreement 2/6; expected (36 - 9 - 9) / (6 * 5).
    assert found.alpha == pytest.approx(1 - (2 / 6) / (18 / 30))


def test_thresholds_come_from_enough_labels_only() -> None:
    rows = [marked(0.6, True)] * FEWEST_TO_FIT + [marked(0.2, False)] * (FEWEST_TO_FIT - 1)
    with pytest.raises(TooFewLabels, match="50 supported and 49 not supported"):
        fitted(rows, shipped=0.5)
    with pytest.raises(TooFewLabels):
        fitted([*rows, marked(0.2, False, by_chance=False)], shipped=0.5)


def test_labels_that_weigh_nothing_are_not_counted() -> None:
    """None of their tenth of the scale was drawn at random: what they are worth is not known."""
    rows = [marked(0.62, True)] * FEWEST_TO_FIT + [marked(0.22, False)] * (FEWEST_TO_FIT - 1)
    chosen = [marked(0.35, False, at_random=False)] * 30
    with pytest.raises(TooFewLabels, match="50 supported and 49 not supported"):
        fitted([*rows, *chosen], shipped=0.5)
    found = fitted([*rows, marked(0.25, False, at_random=False), *chosen], shipped=0.5)
    assert (found.held, found.others) == (FEWEST_TO_FIT, FEWEST_TO_FIT)


def test_thresholds_follow_the_labels_and_stay_in_their_bounds() -> None:
    chance = random.Random(1)  # noqa: S311
    rows = [marked(chance.uniform(0.3, 0.64), True) for _ in range(80)]
    rows += [marked(chance.uniform(0.16, 0.3), False) for _ in range(80)]
    found = fitted(rows, shipped=0.5)
    assert found.supported == pytest.approx(0.3, abs=0.02)
    assert found.balanced_accuracy > 0.95 > found.shipped_accuracy
    assert BOUNDS[0] <= found.unsupported <= found.supported <= BOUNDS[1]
    high = fitted([marked(0.99, True)] * 60 + [marked(0.9, False)] * 60, shipped=0.5)
    assert high.supported <= BOUNDS[1]


def test_labels_chosen_by_their_chance_do_not_bend_the_threshold() -> None:
    """Ten times as many unsupported sentences near .4, because they were asked for, change nothing."""
    rows = [marked(0.35, True), marked(0.35, True), marked(0.35, False), marked(0.55, True), marked(0.2, False)] * 60
    more = [marked(0.35, True, at_random=False)] * 100 + [marked(0.35, False, at_random=False)] * 50
    assert fitted([*rows, *more], shipped=0.5).supported == fitted(rows, shipped=0.5).supported
