from __future__ import annotations

import pytest

from chatapp.answering.verification import Verifier
from knowledge.embedding.table import PieceTable


@pytest.fixture(scope="session")
def table() -> PieceTable:
    return PieceTable()


@pytest.fixture(scope="session")
def verifier(table: PieceTable) -> Verifier:
    return Verifier(table)
