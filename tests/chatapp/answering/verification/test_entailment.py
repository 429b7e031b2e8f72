"""A model that reads source and statement together has the last word on what is left open, and on nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from chatapp.answering.verification import Claim, Judgement, Verifier
from chatapp.answering.verification import entailment as module
from chatapp.answering.verification.entailment import EntailmentEncoder
from knowledge.errors import EntailmentFailed
from tests.support.tiny_cross_encoder import write_model, write_tokenizer

WORDS = ("guests", "cars", "yard", "gate", "north", "otters", "cellar", "staff")
PARKING = "Guests leave cars in the yard. The gate faces north. Staff use the cellar."
OPEN = "People who visit put their vehicles there."


class Scripted:
    """Says what it is told to for texts that hold a word, and remembers what it was asked."""

    def __init__(self, **chances: float) -> None:
        self._chances, self.asked = chances, list[tuple[str, str]]()

    def chances(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.asked += pairs
        return [max([0.0, *(c for word, c in self._chances.items() if word in source)]) for source, _ in pairs]


class Broken:
    def chances(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        raise EntailmentFailed


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def write(*, outputs: int = 1, labels: Sequence[str] | None = None) -> Path:
        write_model(tmp_path / "model.onnx", write_tokenizer(tmp_path / "tokenizer.json", WORDS), outputs=outputs)
        if labels is not None:
            (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(labels))}))
        return tmp_path

    return write


def judge(entailment: object, statement: str, *sources: str) -> Judgement:
    verifier = Verifier(entailment=entailment)  # type: ignore[arg-type]
    return verifier.judge([Claim(statement=statement, sources=sources)])[0]


@pytest.mark.parametrize(
    ("chance", "verdict"), [(0.9, "supported"), (0.5, "supported"), (0.3, "weak"), (0.1, "unsupported")]
)
def test_it_decides_what_is_open(chance: float, verdict: str) -> None:
    found = judge(Scripted(yard=chance), OPEN, PARKING)
    assert (found.verdict, found.score) == (verdict, chance)
    assert (len(found.reasons), found.judged_by, found.open) == (1, "encoder", True)
    assert found.evidence is not None


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [("Guests leave 14 cars in the yard.", "unsupported"), ("Guests leave cars in the yard.", "supported"),
     ("Guests do not leave cars in the yard.", "unsupported")],
)  # fmt: skip
def test_it_is_not_asked_about_what_is_certain(statement: str, verdict: str) -> None:
    model = Scripted(yard=0.4)
    assert judge(model, statement, PARKING).verdict == verdict
    assert model.asked == []


def test_it_reads_the_evidence_with_what_stands_around_it_and_then_each_source_whole() -> None:
    filler = " ".join(f"Line {word} says little." for word in ("one", "two", "three", "four", "five", "six"))
    source = f"{filler} Guests leave cars in the yard near the wall. {filler}"
    model = Scripted(Otters=0.8)
    found = judge(model, "Guests put cars beside a wall.", source, "Otters swim.")
    assert (found.verdict, found.score) == ("supported", 0.8)
    first, *others = (premise for premise, _ in model.asked)
    assert first in source
    assert first.count("Line") == 4
    assert "Guests leave cars" in first
    assert others == [source, "Otters swim."]


def test_a_source_that_holds_it_is_not_read_twice() -> None:
    model = Scripted(yard=0.9)
    judge(model, OPEN.replace("there", "in the yard"), PARKING)
    assert len(model.asked) == 1


def test_a_model_that_fails_leaves_the_verdict_that_was_there() -> None:
    assert judge(Broken(), OPEN, PARKING) == judge(None, OPEN, PARKING)


def test_the_encoder_gives_chances_in_order(folder: Callable[..., Path]) -> None:
    encoder = EntailmentEncoder(folder())
    found = encoder.chances([("guests yard", "guests yard"), ("guests", "otters"), ("yard " * 50, "yard")])
    assert found == pytest.approx([1 / (1 + np.exp(-6)), 1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))], abs=1e-4)
    assert encoder.chances([]) == []


def test_of_two_labels_without_names_the_second_says_yes(folder: Callable[..., Path]) -> None:
    found = EntailmentEncoder(folder(outputs=2)).chances([("guests", "guests"), ("guests", "otters")])
    assert found == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))], abs=1e-4)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(("contradiction", "neutral", "entailment"), np.exp(2) / (np.exp(2) + 2)),
     (("ENTAILMENT", "neutral", "contradiction"), 1 / (np.exp(2) + 2))],
)  # fmt: skip
def test_the_label_is_found_by_its_name(folder: Callable[..., Path], labels: Sequence[str], expected: float) -> None:
    found = EntailmentEncoder(folder(outputs=3, labels=labels)).chances([("guests", "guests")])
    assert found == pytest.approx([expected], abs=1e-4)


@pytest.mark.parametrize("labels", [None, ("a", "b", "c"), ("entailment", "entails", "no")])
def test_three_labels_without_a_name_for_yes_are_refused(
    folder: Callable[..., Path], labels: Sequence[str] | None
) -> None:
    with pytest.raises(EntailmentFailed, match="config.json must name one label"):
        EntailmentEncoder(folder(outputs=3, labels=labels)).chances([("guests", "guests")])


def test_missing_and_broken_files_are_told_once_and_again(tmp_path: Path, folder: Callable[..., Path]) -> None:
    encoder = EntailmentEncoder(tmp_path / "nowhere")
    for _ in range(2):
        with pytest.raises(EntailmentFailed, match=r"VERIFY_MODEL_DIR\) has no model.onnx"):
            encoder.chances([("a", "b")])
    (folder() / "config.json").write_text("[1")
    with pytest.raises(EntailmentFailed, match="cannot be read"):
        EntailmentEncoder(tmp_path).chances([("a", "b")])


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(module.PairModelFailed, match="no number"):
        module._chances(np.array([[np.nan]]), rows=1, label=None)
