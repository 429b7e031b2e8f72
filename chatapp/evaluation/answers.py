"""Figures of whole answers for ``manage.py evaluate``: planted errors, and citations by ALCE's definition."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chatapp.answering import ExtractiveModel
from chatapp.answering.verification import Verifier
from chatapp.evaluation import citing, labelled, misbehaving
from chatapp.evaluation.corpus import build
from knowledge import wiring

__all__ = ["add_citations", "add_injected", "citations", "injected"]

Say = Callable[[str], None]


def add_injected(parser: ArgumentParser) -> None:
    parser.add_argument("sets", nargs="+", metavar="SET", help="whose sentences a misbehaving model writes")
    parser.add_argument("--answers", type=int, default=200, metavar="N", help="of each kind and set (200)")
    parser.add_argument("--gate", action="store_true", help="exit with 1 where a goal is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures, and what was missed, there")


def add_citations(parser: ArgumentParser) -> None:
    parser.add_argument("set", metavar="SET", help="one with marked sentences, as longanswer")
    parser.add_argument("--questions", type=int, metavar="N", help="at most N, evenly spread")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="remember vectors there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def injected(folders: Sequence[Path], *, out: Say, say: Say, **options: Any) -> list[str]:
    """Print what becomes of answers with planted errors; return in sentences which goals were missed."""
    sources = [labelled.load(folder) for folder in folders]
    verifier = Verifier(wiring.piece_table())
    found, missed = {}, []
    out(f"{'':<24} answers  marks of no source  traces  flagged")
    for source in sources:
        out(f"Sentences of {source.name}:")
        rows = []
        for row in misbehaving.misbehave(source, verifier=verifier, most=options["answers"], say=say):
            rows.append(row)
            out(f"  {row.kind:<22} {row.answers:>7}  {row.unknown:>18}  {row.left:>6}  {row.share:>7.3f}")
        found[source.name] = [asdict(row) for row in rows]
        missed += [f"{source.name}, {words}" for words in misbehaving.missed_goals(rows)]
    out(f"Of {', '.join(misbehaving.HELD)}, the statement is true: a flag is a false alarm.")
    if options["json"]:
        options["json"].write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return missed


def citations(folder: Path, *, out: Say, say: Say, **options: Any) -> None:
    """Print citation recall and precision of the extractive model and of scripted ones, with planted defects."""
    source = labelled.load(folder)
    gold = citing.gold_sentences(folder)
    everything = labelled.QuestionSet(source.name, source.name, lambda row: row["query_id"] in gold)
    questions = labelled.chosen(source, everything, most=options["questions"])
    if not questions:
        raise labelled.UnusableSet(f"The set {source.name} has no question with marked sentences.")
    embedder = wiring.embedder()
    rows = []
    with build(source, cache=options["cache"], say=say) as corpus:
        out(f"{source.name}, {len(questions)} questions; the last two columns: cited words that people had marked.")
        out(f"{'':<38} answers  statements  recall  precision  recall  precision")
        for row in citing.measure(
            corpus,
            questions,
            gold=gold,
            verifier=Verifier(wiring.piece_table()),
            model=ExtractiveModel(embed=embedder.embed_passages),
        ):
            rows.append(row)
            out(
                f"{row.name:<38} {row.answers:>7}  {row.statements:>10}  {row.recall:>6.3f}  {row.precision:>9.3f}"
                f"  {row.gold_recall:>6.3f}  {row.gold_precision:>9.3f}"
            )
    if options["json"]:
        options["json"].write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
