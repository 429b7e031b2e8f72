"""A model that reads two texts together, as an ONNX file on this processor, without torch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from knowledge.embedding.runtimes import session_options
from knowledge.embedding.tokens import Ids

__all__ = ["MODEL_FILE", "TOKENIZER_FILE", "LazyPairModel", "Pair", "PairModel", "PairModelFailed", "in_batches"]

logger = logging.getLogger(__name__)

MODEL_FILE, TOKENIZER_FILE = "model.onnx", "tokenizer.json"
BATCH_TOKENS = 1024
"""Rows times padded length of one run; bigger batches leave the processor's cache."""


class PairModelFailed(Exception):
    """The files are missing, are no such model, or it could not judge; the message is for people."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Word pieces of two texts with special tokens, and which of the two each belongs to."""

    ids: list[int]
    types: list[int]


class PairModel:
    """Session and tokenizer of a folder. Thread-safe."""

    def __init__(self, folder: Path, *, what: str, setting: str, threads: int = 1, max_tokens: int = 512) -> None:
        """Load both; ``what`` and ``setting`` name the model in messages.

        :raises PairModelFailed: a file is missing or is none of this kind.
        """
        self._what = what
        for name in (MODEL_FILE, TOKENIZER_FILE):
            if not (folder / name).is_file():
                raise PairModelFailed(f"The folder of the {what} ({setting}) has no {name}.")
        started = time.monotonic()
        try:
            self._tokenizer, self._pad = _tokenizer(folder / TOKENIZER_FILE, max_tokens)
            self._session = _session(folder / MODEL_FILE, max(1, threads))
        except Exception as err:  # the boundary to two engines that raise types of their own
            raise PairModelFailed(f"The files of the {what} could not be loaded.") from err
        self._inputs = {one.name for one in self._session.get_inputs()}
        if not {"input_ids", "attention_mask"} <= self._inputs <= {"input_ids", "attention_mask", "token_type_ids"}:
            raise PairModelFailed(f"The {what} must take input_ids, attention_mask and at most token_type_ids.")
        logger.info("%s loaded: threads=%s seconds=%.2f", what, threads, time.monotonic() - started)

    def pairs(self, texts: Sequence[tuple[str, str]]) -> list[Pair]:
        """Cut each pair to the longest allowed, from the end of the longer part."""
        return [Pair(encoding.ids, encoding.type_ids) for encoding in self._tokenizer.encode_batch(list(texts))]

    def run(self, pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
        """Return what the model says of the pairs, its rows first.

        :raises PairModelFailed: the engine failed.
        """
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
            raise PairModelFailed(f"The {self._what} could not judge the texts.") from err
        return np.asarray(output, dtype=np.float64)


class LazyPairModel:
    """Loads the model of a folder on first use, once a process. Thread-safe."""

    def __init__(self, folder: Path, *, what: str, setting: str, threads: int, max_tokens: int) -> None:
        self._folder, self._what, self._setting = folder, what, setting
        self._threads, self._max_tokens = threads, max_tokens
        self._lock = threading.Lock()
        self._model: PairModel | PairModelFailed | None = None

    def load(self) -> PairModel:
        """Return the model; one that failed is not tried again, for loading may take seconds.

        :raises PairModelFailed: it could not be loaded, now or before.
        """
        if self._model is None:
            with self._lock:
                if self._model is None:
                    try:
                        self._model = PairModel(
                            self._folder, what=self._what, setting=self._setting, threads=self._threads,
                            max_tokens=self._max_tokens,
                        )  # fmt: skip
                    except PairModelFailed as err:
                        self._model = err
        if isinstance(self._model, PairModelFailed):
            raise PairModelFailed(str(self._model)) from self._model
        return self._model


def in_batches(pairs: Sequence[Pair]) -> Iterator[list[int]]:
    """Yield places of pairs of similar length, shortest first, so that little is padded."""
    batch: list[int] = []
    for row in sorted(range(len(pairs)), key=lambda row: len(pairs[row].ids)):
        if batch and (len(batch) + 1) * len(pairs[row].ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
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
