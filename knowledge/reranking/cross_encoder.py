"""A cross-encoder on this processor: an ONNX file that reads question and passage together, without torch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from knowledge.embedding.runtimes import session_options
from knowledge.embedding.tokens import Ids
from knowledge.errors import RerankFailed
from knowledge.reranking.base import RerankCandidate, RerankQuery, passage_text, query_text
from knowledge.reranking.scale import UnitScale

__all__ = ["MODEL_FILE", "TOKENIZER_FILE", "CrossEncoder"]

logger = logging.getLogger(__name__)

MODEL_FILE, TOKENIZER_FILE = "model.onnx", "tokenizer.json"
GROUP = 16
"""Candidates taken at a time, best first: what is not judged in time is what the search thought least of."""
BATCH_TOKENS = 1024
"""Rows times padded length of one run; bigger batches leave the processor's cache."""


class CrossEncoder:
    """Runs ``model.onnx`` over the pairs that ``tokenizer.json`` makes, for about ``timeout`` seconds a question.

    The candidates come best first and are judged in that order. When the time is spent the rest gets the mean of the
    scores given less one standard deviation: below what was found good, above what was found bad. The first run is
    always made, and loading the model, once a process, is not counted.
    """

    name: ClassVar[str] = "cross_encoder"
    weight: ClassVar[float] = 1.0

    def __init__(
        self, folder: Path, *, timeout: float = 2.0, threads: int = 1, max_tokens: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._timeout, self._threads, self._max_tokens = timeout, max(1, threads), max_tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._model: _Model | RerankFailed | None = None
        self._scale = UnitScale()

    def scores(self, query: RerankQuery, candidates: Sequence[RerankCandidate]) -> list[float] | None:
        """Return 0..1 for each candidate, in the order given.

        :raises RerankFailed: the files are missing, no cross-encoder, or give what is no number.
        """
        if not candidates:
            return []
        model = self._load()
        ends = self._clock() + self._timeout
        question = query_text(query)
        judged: dict[int, float] = {}
        for first in range(0, len(candidates), GROUP):
            group = candidates[first : first + GROUP]
            pairs = model.pairs(question, [passage_text(candidate) for candidate in group])
            for batch in _batches(pairs):
                if judged and self._clock() >= ends:
                    return self._with_rest(judged, count=len(candidates))
                values = model.run([pairs[row] for row in batch])
                judged.update(zip([first + row for row in batch], values, strict=True))
        return self._with_rest(judged, count=len(candidates))

    def warm_up(self) -> None:
        """Load the model, for a process that is about to serve."""
        self._load()

    def _with_rest(self, judged: dict[int, float], *, count: int) -> list[float]:
        try:
            scaled = dict(zip(judged, self._scale(list(judged.values())), strict=True))
        except ValueError as err:
            raise RerankFailed("The cross-encoder gave a score that is no number.") from err
        rest = 0.0
        if len(scaled) < count:
            logger.info("the time for reranking was spent: judged=%s of=%s", len(scaled), count)
            rest = max(0.0, fmean(scaled.values()) - pstdev(scaled.values()))
        return [scaled.get(row, rest) for row in range(count)]

    def _load(self) -> _Model:
        if self._model is None:
            with self._lock:
                if self._model is None:
                    try:
                        self._model = _Model(self.folder, threads=self._threads, max_tokens=self._max_tokens)
                    except RerankFailed as err:  # not tried again with every question: loading may take seconds
                        self._model = err
        if isinstance(self._model, RerankFailed):
            raise RerankFailed(self._model.message) from self._model
        return self._model


@dataclass(frozen=True, slots=True)
class _Pair:
    """Word pieces of question and passage with special tokens, and which of the two each belongs to."""

    ids: list[int]
    types: list[int]


class _Model:
    """Session and tokenizer. Thread-safe."""

    def __init__(self, folder: Path, *, threads: int, max_tokens: int) -> None:
        for name in (MODEL_FILE, TOKENIZER_FILE):
            if not (folder / name).is_file():
                raise RerankFailed(f"The folder of the cross-encoder (RERANK_MODEL_DIR) has no {name}.")
        started = time.monotonic()
        try:
            self._tokenizer, self._pad = _tokenizer(folder / TOKENIZER_FILE, max_tokens)
            self._session = _session(folder / MODEL_FILE, threads)
        except Exception as err:  # the boundary to two engines that raise types of their own
            raise RerankFailed("The files of the cross-encoder could not be loaded.") from err
        self._inputs = {one.name for one in self._session.get_inputs()}
        if not {"input_ids", "attention_mask"} <= self._inputs <= {"input_ids", "attention_mask", "token_type_ids"}:
            raise RerankFailed("The cross-encoder must take input_ids, attention_mask and at most token_type_ids.")
        logger.info("cross-encoder loaded: threads=%s seconds=%.2f", threads, time.monotonic() - started)

    def pairs(self, question: str, passages: Sequence[str]) -> list[_Pair]:
        """Cut each pair to the longest allowed, from the end of the longer part."""
        encodings = self._tokenizer.encode_batch([(question, passage) for passage in passages])
        return [_Pair(encoding.ids, encoding.type_ids) for encoding in encodings]

    def run(self, pairs: Sequence[_Pair]) -> list[float]:
        """Return one raw score for each pair."""
        length = max(len(pair.ids) for pair in pairs)
        feed: dict[str, Ids] = {
            "input_ids": np.full((len(pairs), length), self._pad, dtype=np.int64),
            "attention_mask": np.zeros((len(pairs), length), dtype=np.int64),
            "token_type_ids": np.zeros((len(pairs), length), dtype=np.int64),
        }
        for row, pair in enumerate(pairs):
            feed["input_ids"][row, : len(pair.ids)] = pair.ids
            feed["attention_mask"][row, : len(pair.ids)] = 1
            feed["token_type_ids"][row, : len(pair.types)] = pair.types
        try:
            output = self._session.run(None, {name: feed[name] for name in self._inputs})[0]
        except Exception as err:  # the boundary to an engine that raises types of its own
            raise RerankFailed("The cross-encoder could not judge the passages.") from err
        return _one_score_each(np.asarray(output, dtype=np.float64), rows=len(pairs))


def _one_score_each(output: npt.NDArray[np.float64], *, rows: int) -> list[float]:
    """Read ``(rows,)`` or ``(rows, 1)`` as scores and ``(rows, 2)`` as logits of "no" and "yes"."""
    if output.shape in ((rows,), (rows, 1)):
        found: list[float] = output.reshape(rows).tolist()
    elif output.shape == (rows, 2):
        found = (output[:, 1] - output[:, 0]).tolist()
    else:
        raise RerankFailed("The model in RERANK_MODEL_DIR does not give one score for a question and a passage.")
    return found


def _batches(pairs: Sequence[_Pair]) -> Iterator[list[int]]:
    """Yield places of pairs of similar length, shortest first, so that little is padded."""
    batch: list[int] = []
    for row in sorted(range(len(pairs)), key=lambda row: len(pairs[row].ids)):
        if batch and (len(batch) + 1) * len(pairs[row].ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    yield batch


def _tokenizer(path: Path, max_tokens: int) -> tuple[Any, int]:
    """Return the tokenizer, cutting but not padding, and the id that it pads with."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    given = tokenizer.padding
    known = [tokenizer.token_to_id(word) for word in ("[PAD]", "<pad>")]
    # Not always 0: XLM-RoBERTa counts positions by it.
    pad = given["pad_id"] if given else next((number for number in known if number is not None), 0)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens, strategy="longest_first")
    return tokenizer, int(pad)


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), session_options(threads), providers=["CPUExecutionProvider"])
