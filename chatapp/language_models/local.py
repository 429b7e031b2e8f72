"""The models that live in this very process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from knowledge import wiring
from knowledge.llm import register_local_provider


def _embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    return wiring.embedder().embed_passages(texts)


def register_local_models() -> None:
    """Make ``extractive/default`` answer through LiteLLM like any hosted model. Loads nothing heavy."""
    from chatapp.answering import ExtractiveModel

    register_local_provider("extractive", ExtractiveModel(embed=_embed))
