"""A model that reads a source and a statement together and says whether one follows from the other. Optional.

A local encoder (MiniCheck, FactCG and other classifiers of this kind, as ONNX) from a folder of the machine. It has the
last word on statements that exact words, numbers, names and negations leave open; without one the fitted model has it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from knowledge.embedding.pairs import LazyPairModel, PairModelFailed, in_batches
from knowledge.errors import EntailmentFailed

__all__ = ["CONFIG_FILE", "Entailment", "EntailmentEncoder"]

logger = logging.getLogger(__name__)

CONFIG_FILE = "config.json"
FOLLOWS = ("entail", "support", "consistent", "attributable")
"""What the label is called that says yes, or begins with."""


class Entailment(Protocol):
    def chances(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return for each ``(source, statement)`` the chance, 0..1, that the statement follows.

        :raises EntailmentFailed: the model is not there or failed.
        """
        ...


class EntailmentEncoder:
    """Runs ``model.onnx`` over the pairs that ``tokenizer.json`` makes; ``config.json`` names its labels.

    Read as chances: one column through a sigmoid, several through a softmax. Loaded on first use. Thread-safe.
    """

    def __init__(self, folder: Path, *, threads: int = 1, max_tokens: int = 512) -> None:
        self._folder = folder
        self._model = LazyPairModel(
            folder, what="entailment model", setting="VERIFY_MODEL_DIR", threads=threads, max_tokens=max_tokens
        )

    def chances(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """See ``Entailment``."""
        if not pairs:
            return []
        found = np.zeros(len(pairs))
        try:
            model, label = self._model.load(), self._label
            encoded = model.pairs(pairs)
            for batch in in_batches(encoded):
                found[batch] = _chances(model.run([encoded[row] for row in batch]), rows=len(batch), label=label)
        except PairModelFailed as err:
            raise EntailmentFailed(str(err)) from err
        return [float(value) for value in found]

    @cached_property
    def _label(self) -> int | None:
        return _label_of(self._folder / CONFIG_FILE)


def _label_of(path: Path) -> int | None:
    """Return the number of the label that says yes, as the model's configuration names it; None where it does not."""
    try:
        names: Any = json.loads(path.read_text(encoding="utf-8")).get("id2label", {})
        found = [int(number) for number, name in names.items() if str(name).lower().startswith(FOLLOWS)]
    except FileNotFoundError:
        return None
    except (AttributeError, OSError, TypeError, ValueError) as err:
        raise PairModelFailed("The config.json of the entailment model (VERIFY_MODEL_DIR) cannot be read.") from err
    return found[0] if len(found) == 1 else None


def _chances(output: npt.NDArray[np.float64], *, rows: int, label: int | None) -> npt.NDArray[np.float64]:
    """Read logits ``(rows,)``, ``(rows, 1)`` or ``(rows, labels)``; of two without a name the second says yes."""
    if not np.isfinite(output).all():
        raise PairModelFailed("The entailment model gave a score that is no number.")
    if output.shape in ((rows,), (rows, 1)):
        chances: npt.NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(output.reshape(rows), -50, 50)))
        return chances
    if output.ndim == 2 and len(output) == rows and output.shape[1] == 2 and label is None:
        label = 1
    if output.ndim != 2 or len(output) != rows or label is None or not 0 <= label < output.shape[1]:
        raise PairModelFailed(
            "The model in VERIFY_MODEL_DIR gives no chance of entailment: its config.json must name one label "
            "that begins with “entail” or “support”."
        )
    shares = np.exp(output - output.max(axis=1, keepdims=True))
    share: npt.NDArray[np.float64] = shares[:, label] / shares.sum(axis=1)
    return share
