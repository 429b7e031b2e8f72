"""On a tiny graph that the test builds: no real cross-encoder can be fetched here."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knowledge.errors import RerankFailed
from knowledge.reranking import RerankCandidate, RerankQuery
from knowledge.reranking.cross_encoder import GROUP, CrossEncoder
from tests.support.tiny_cross_encoder import write_model, write_tokenizer

Make = Callable[..., RerankCandidate]
WORDS = ("heron", "hunts", "fish", "kestrel", "hovers", "guide", "birds", "water", "when", "where")
QUERY = RerankQuery(text="Heron hunts fish")


def logistic(shared: int, scale: float = 4.0) -> float:
    return 1 / (1 + math.exp(-(scale * shared - scale / 2)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path / "model.onnx", write_tokenizer(tmp_path / "tokenizer.json", WORDS))
    return tmp_path


@pytest.fixture
def clock() -> Callable[[], float]:
    """Every look at it takes a second."""
    seconds = iter(range(10_000))
    return lambda: float(next(seconds))


def test_passages_are_judged_with_the_question(folder: Path, candidate: Make) -> None:
    passages = [candidate("Kestrel hovers"), candidate("The heron hunts fish."), candidate("A heron in the water.")]
    assert CrossEncoder(folder).scores(QUERY, passages) == pytest.approx([logistic(n) for n in (0, 3, 1)], abs=1e-6)


def test_title_headings_and_the_turn_before_take_part(folder: Path, candidate: Make) -> None:
    follow_up = RerankQuery(text="And where?", previous="When hunts the heron?")
    passages = [candidate("In water.", title="Heron", headings=("Birds", "Where"))]
    assert CrossEncoder(folder).scores(follow_up, passages) == pytest.approx([logistic(2)], abs=1e-6)


def test_batches_of_unlike_length_give_what_single_pairs_give(folder: Path, candidate: Make) -> None:
    texts = [" ".join(["water"] * (i * 37 % 300) + ["heron"] * (i % 2) + ["fish"] * (i % 3)) for i in range(40)]
    model = CrossEncoder(folder, timeout=600)
    together = model.scores(QUERY, [candidate(text) for text in texts])
    alone = [(model.scores(QUERY, [candidate(text)]) or [])[0] for text in texts]
    assert together == pytest.approx(alone, abs=1e-6)
    assert len(set(together or [])) > 2


def test_pair_is_cut_at_512_tokens(folder: Path, candidate: Make) -> None:
    seen, unseen = candidate("water " * 500 + "heron"), candidate("water " * 600 + "heron")
    assert CrossEncoder(folder).scores(QUERY, [seen, unseen]) == pytest.approx([logistic(1), logistic(0)], abs=1e-6)


def test_question_longer_than_the_model_reads_is_cut_too(folder: Path, candidate: Make) -> None:
    long = RerankQuery(text="heron " + "when " * 5_000)
    assert CrossEncoder(folder).scores(long, [candidate("heron")]) == pytest.approx([logistic(1)], abs=1e-6)


def test_model_without_token_types_is_run(folder: Path, candidate: Make) -> None:
    write_model(folder / "model.onnx", len(WORDS) + 4, types=False)
    scores = CrossEncoder(folder).scores(QUERY, [candidate("kestrel"), candidate("heron fish")])
    assert scores == pytest.approx([logistic(0), logistic(2)], abs=1e-6)


def test_two_outputs_are_no_and_yes(folder: Path, candidate: Make) -> None:
    write_model(folder / "model.onnx", len(WORDS) + 4, outputs=2)
    assert CrossEncoder(folder).scores(QUERY, [candidate("heron fish")]) == pytest.approx([logistic(2)], abs=1e-6)


def test_spent_time_leaves_the_rest_below_the_good_and_above_the_bad(
    folder: Path, candidate: Make, clock: Callable[[], float]
) -> None:
    texts = ["heron hunts fish", *(["kestrel"] * (GROUP - 1)), *(["heron"] * 30)]
    scores = CrossEncoder(folder, timeout=0.5, clock=clock).scores(QUERY, [candidate(text) for text in texts])
    assert scores is not None
    judged, rest = scores[:GROUP], scores[GROUP:]
    assert len(rest) == 30
    assert judged == pytest.approx([logistic(3)] + [logistic(0)] * (GROUP - 1), abs=1e-6)
    mean = sum(judged) / GROUP
    deviation = (sum((score - mean) ** 2 for score in judged) / GROUP) ** 0.5
    assert rest == pytest.approx([max(0.0, mean - deviation)] * 30)


def test_enough_time_judges_all(folder: Path, candidate: Make, clock: Callable[[], float]) -> None:
    passages = [candidate("heron")] * (3 * GROUP)
    scores = CrossEncoder(folder, timeout=100, clock=clock).scores(QUERY, passages)
    assert scores == pytest.approx([logistic(1)] * (3 * GROUP), abs=1e-6)


def test_no_passages_load_nothing(tmp_path: Path) -> None:
    assert CrossEncoder(tmp_path).scores(QUERY, []) == []


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_missing_file_is_named(folder: Path, candidate: Make, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(RerankFailed, match=rf"RERANK_MODEL_DIR\) has no {name}\.$"):
        CrossEncoder(folder).scores(QUERY, [candidate("heron")])


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_damaged_file_is_said_so_and_not_read_again(folder: Path, candidate: Make, name: str) -> None:
    model = CrossEncoder(folder)
    good = (folder / name).read_bytes()
    (folder / name).write_bytes(b"\x00nonsense")
    for _ in range(2):
        with pytest.raises(RerankFailed, match="could not be loaded"):
            model.scores(QUERY, [candidate("heron")])
        (folder / name).write_bytes(good)


@pytest.mark.parametrize(("outputs", "scale", "words"), [(3, 4.0, "one score"), (1, math.inf, "no number")])
def test_other_model_is_refused(folder: Path, candidate: Make, outputs: int, scale: float, words: str) -> None:
    write_model(folder / "model.onnx", len(WORDS) + 4, outputs=outputs, scale=scale)
    with pytest.raises(RerankFailed, match=words):
        CrossEncoder(folder).scores(QUERY, [candidate("heron"), candidate("fish")])


def test_model_with_other_inputs_is_refused(folder: Path, candidate: Make) -> None:
    import onnx

    model = onnx.load(folder / "model.onnx")
    for node in model.graph.node:
        node.input[:] = ["ids" if name == "input_ids" else name for name in node.input]
    model.graph.input[0].name = "ids"
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(RerankFailed, match="must take input_ids"):
        CrossEncoder(folder).scores(QUERY, [candidate("heron")])


def test_tokenizer_that_knows_fewer_words_than_the_model_is_no_crash(folder: Path, candidate: Make) -> None:
    write_model(folder / "model.onnx", 5)
    with pytest.raises(RerankFailed, match="could not judge"):
        CrossEncoder(folder).scores(QUERY, [candidate("where")])


def test_padding_is_what_the_tokenizer_says(folder: Path, candidate: Make) -> None:
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=13, pad_token="where")
    tokenizer.save(str(folder / "tokenizer.json"))
    model = CrossEncoder(folder)
    assert model.scores(QUERY, [candidate("heron"), candidate("heron water water")]) == pytest.approx(
        [logistic(1)] * 2, abs=1e-6
    )
    assert model._load()._pad == 13
