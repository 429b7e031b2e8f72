"""A comparison of two indexes in sentences and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chatapp.evaluation.generations import Change, Comparison, Judged
from chatapp.evaluation.report import table, with_interval

__all__ = ["lines", "sentences", "verdict"]

SURE = 0.05
"""Below this p a difference is taken for more than chance."""

SHOWN = 10


def sentences(found: Comparison, *, called: str = "The new index") -> list[str]:
    """Return what the comparison says, in sentences: the first is the one to decide by."""
    said = [verdict(judged, called=called) for judged in found.judged[:1]]
    same = found.agreement
    if same.questions:
        said.append(
            f"Both find the same passage first for {same.same_first} of {same.questions}"
            f" {_questions(same.questions)}; of the first five passages they share {same.overlap:.0%}."
        )
    said.append(f"The median search takes {found.other_ms:.0f} ms, in the index in use {found.live_ms:.0f} ms.")
    if found.asked < found.of:
        said.append(f"{found.asked} of {found.of} questions, drawn at random, were asked in the time a page has.")
    return [*said, *found.notes]


def verdict(judged: Judged, *, called: str) -> str:
    """Return the one sentence to decide by."""
    words = f"{called} finds the right {judged.by} first for {judged.other_first} of {judged.questions}"
    words += f" {_questions(judged.questions)}"
    if judged.other_first == judged.live_first and judged.p > SURE:
        return f"{words}, and so does the one in use for {judged.live_first}."
    chance = "the difference may be chance" if judged.p > SURE else "that is hardly chance"
    return f"{words}, the one in use for {judged.live_first}; {chance} (p {_p(judged.p)})."


def _questions(count: int) -> str:
    return "question" if count == 1 else "questions"


def _p(value: float) -> str:
    if value < 0.001:
        return "< .001"
    digits = 3 if value < 0.01 else 2
    return f"= {value:.{digits}f}".replace("= 0", "= ")


def lines(found: Comparison, *, called: str = "The new index") -> Iterator[str]:
    """Yield the report for a terminal."""
    yield f"In use: {found.live}. Compared with: {found.other}."
    yield from sentences(found, called=called)
    for judged in found.judged:
        yield f"By {judged.by}, {judged.questions} questions; means with 95 % intervals, paired:"
        rows = [
            (m.name, with_interval(m.live), with_interval(m.other), f"{m.difference.value:+.3f}", f"{m.p:.3f}")
            for m in judged.measures
        ]
        yield from table(("", "in use", "other", "difference", "p"), rows)
        yield f"  better for {len(judged.better)}, worse for {len(judged.worse)}"
        yield from _changes("+", judged.better)
        yield from _changes("-", judged.worse)
    if not found.judged:
        for each in found.agreement.differing[:SHOWN]:
            pair = (each.live.title if each.live else "nothing", each.other.title if each.other else "nothing")
            yield f"  {each.question[:90]}: {pair[0]} | {pair[1]}"


def _changes(sign: str, changes: Sequence[Change]) -> Iterator[str]:
    for change in changes[:SHOWN]:
        yield f"  {sign} {_rank(change.live)} > {_rank(change.other)}  {change.question[:90]}"


def _rank(rank: int | None) -> str:
    return f"{rank or 'none':>4}"
