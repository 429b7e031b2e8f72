"""The fit of the verifier, and the table of ``manage.py evaluate verification``."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from chatapp.answering.verification.support import TIERS, read_record
from chatapp.evaluation.groundedness import best_threshold, fit_tier, halves, quality, read_statements
from chatapp.evaluation.labelled import UnusableSet
from knowledge.embedding.table import PieceTable

FACTS = [
    ("The {} opens at nine and closes at six in the evening.", "From nine until six the {} is open.", "The {} never opens on holidays."),
    ("Every {} is checked twice a year by the warden of the house.", "The warden checks each {} two times a year.", "Tenants repair the {} themselves."),
    ("A {} costs 40 euro, and children pay half of that.", "For the {} one pays 40 euro, children half.", "A {} costs 55 euro."),
]  # fmt: skip
THINGS = "pool library garage laundry garden cellar workshop kitchen roof lift stair gate".split()


def statements(folder: Path) -> Path:
    folder.mkdir()
    rows = []
    for fact, held, other in FACTS:
        for thing in THINGS:
            for text, label in ((held, "supported"), (other, "not_supported")):
                rows.append({
                    "question": f"What of the {thing}?", "statement": text.format(thing) + " [1]", "label": label,
                    "passages": [fact.format(thing) + " Other rules are on the board in the hall."], "source": "made",
                })  # fmt: skip
    rows.append({"question": "?", "statement": "Unsure.", "label": "unsure", "passages": []})
    (folder / "statements.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_statements_are_read_without_their_marks_and_the_unsure(tmp_path: Path) -> None:
    rows = read_statements(statements(tmp_path / "made"))
    assert len(rows) == 2 * len(FACTS) * len(THINGS)
    assert rows[0].statement == "From nine until six the pool is open."
    assert (rows[0].held, rows[1].held) == (True, False)


@pytest.mark.parametrize(
    "row", ['{"label": "supported"}', '{"label": "supported", "question": "", "statement": "", "passages": [{}]}']
)
def test_a_row_that_is_no_statement_is_named(tmp_path: Path, row: str) -> None:
    (tmp_path / "statements.jsonl").write_text(row)
    with pytest.raises(UnusableSet, match="row 1: no statement"):
        read_statements(tmp_path)


def test_halves_keep_a_question_together(tmp_path: Path) -> None:
    rows = read_statements(statements(tmp_path / "made"))
    here, there = halves(rows)
    assert sorted(here + there) == list(range(len(rows)))
    assert not {rows[at].question for at in here} & {rows[at].question for at in there}


def test_a_fit_finds_what_tells_and_its_chances_are_those_of_the_labels() -> None:
    random = np.random.default_rng(0)
    held = random.random(600) < 0.5
    signals = [
        {name: float(random.normal()) for name in TIERS["words"]} | {"words": float(random.normal(1.5 if yes else 0))}
        for yes in held
    ]
    tier = fit_tier("words", signals[:300], list(held[:300]))
    chances = [tier.chance(each) for each in signals[300:]]
    found = quality(chances, list(held[300:]), threshold=0.5)
    assert found.auroc > 0.8
    assert found.balanced_accuracy > 0.7
    assert abs(np.mean(chances) - np.mean(held[300:])) < 0.08


def test_quality_by_hand() -> None:
    found = quality([0.9, 0.4, 0.6, 0.1], [True, True, False, False], threshold=0.5)
    assert (found.held_found, found.others_found, found.balanced_accuracy, found.auroc) == (0.5, 0.5, 0.5, 0.75)
    assert found.f1_others == pytest.approx(2 * 1 / (1 + 1 + 2))
    assert 0.3 < best_threshold([0.9, 0.8, 0.3, 0.2] * 10, [True, True, False, False] * 10) <= 0.8


def test_the_command_fits_keeps_a_record_and_prints_the_table(tmp_path: Path) -> None:
    folder, record = statements(tmp_path / "made"), tmp_path / "record.json"
    out = StringIO()
    call_command("evaluate", "verification", str(folder), "--fit", str(record), stdout=out)
    lines = out.getvalue().splitlines()
    table = {line[:36].strip(): line[36:].split() for line in lines[1:-2]}
    assert table["always supported"][2] == "0.500"
    assert float(table["with vectors"][2]) > float(table["word overlap"][2])
    kept = read_record(record)
    assert (kept.data, set(kept.tiers)) == ("made", set(TIERS))
    assert kept.fitted + kept.judged == 2 * len(FACTS) * len(THINGS)
    assert kept.tiers["vectors"].quality["balanced_accuracy"] == pytest.approx(
        float(table["with vectors"][2]), abs=0.001
    )
    assert "fitted on" in lines[-2]
    assert "An answer of 10 such sentences" in lines[-1]


def test_a_folder_without_statements_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("evaluate", "verification", str(tmp_path))


def test_the_record_of_the_product_holds_on_the_labelled_data(data: Path) -> None:
    """On a few statements only: the whole table is that of the command."""
    from chatapp.answering.verification import Verifier
    from chatapp.evaluation.groundedness import claim_of

    rows = read_statements(data / "groundedness")
    _, there = halves(rows)
    some = [rows[at] for at in there[::6]]
    judged = Verifier(PieceTable()).judge([claim_of(row) for row in some])
    found = quality([each.score for each in judged], [row.held for row in some], threshold=0.5)
    assert found.balanced_accuracy > 0.62
