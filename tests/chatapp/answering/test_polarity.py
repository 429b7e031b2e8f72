from __future__ import annotations

import pytest

from chatapp.answering.polarity import negations


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Guests may park here.", 0),
        ("Guests may not park here.", 1),
        ("Guests mustn’t park here, nor may staff.", 2),
        ("Not only guests may park here.", 0),
        ("Gäste dürfen hier nicht parken.", 1),
        ("Nicht nur Gäste dürfen hier parken.", 0),
        ("Les visiteurs ne peuvent entrer sans badge.", 1),
        ("Il museo non è aperto e la sala è chiusa.", 1),
        ("Im Mai ist das Haus für alle offen.", 0),
        ("Guests park without a badge.", 1),
        ("Notes on knots.", 0),
        ("", 0),
    ],
)
def test_words_that_deny_are_counted(text: str, count: int) -> None:
    assert negations(text) == count
