from __future__ import annotations

import random

from chatapp.operations.bench import pdfs
from knowledge.parsing import ParseLimits
from knowledge.parsing.child import parse_here
from knowledge.types import BlockKind, ParsedDocument


def read(data: bytes) -> ParsedDocument:
    return parse_here(data, filename="a.pdf", limits=ParseLimits())


def test_every_trial_holds_what_its_name_says() -> None:
    found = {name: read(data) for name, data in pdfs.trials().items()}
    assert found["turned page 90"].pages[0].rotation == 90
    assert found["cropped page"].pages[0].view_box == (60, 200, 520, 700)
    assert any(b.attrs.get("invisible") for b in found["cropped page"].blocks)
    assert "difficult" in found["ligatures"].text
    assert "overspringnight" in found["hyphens"].text
    assert "-" not in found["hyphens"].text
    assert all("\u05d0" <= c <= "\u05ea" or c == " " for c in found["right to left"].text)
    assert [b.kind for b in found["raised numbers"].blocks].count(BlockKind.FOOTNOTE) == 3
    rows = found["table"].blocks
    assert rows[1].attrs["header"] == ["Harbour", "Vessels", "Depth", "Fee"]
    assert found["form"].text.count("\t") == 12  # a value beside each label, drawn by the file or not


def test_trials_and_books_are_the_same_every_time() -> None:
    assert pdfs.trials() == pdfs.trials()
    assert pdfs.trials() != pdfs.trials(seed=2)
    assert pdfs.book(3) == pdfs.book(3)
    assert len(read(pdfs.book(3)).pages) == 3


def test_brackets_and_backslashes_are_escaped() -> None:
    assert read(pdfs.document([pdfs.line("a (b) \\ c", 72, 700)])).text == "a (b) \\ c"


def test_prose_is_about_as_long_as_asked() -> None:
    assert 60 <= len(pdfs.prose(random.Random(1), 66)) <= 80
