from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.reader import comparing
from chatapp.reader.aligning import Budget
from chatapp.reader.comparing import Comparison, Counts, Row, Side, Text, compare, marked
from knowledge.types import Block, BlockKind

FEES = "The fee for a duplicate badge is 12 euros and is paid at the reception desk."
VISITORS = "Visitors register at the reception before they enter the building."
PARKING = "Parking is free for visitors on the first floor of the garage."


def made(*parts: str, pages: Sequence[int] = ()) -> Text:
    """A document of these paragraphs; one that begins with # is a heading, one with ~ furniture."""
    kinds = {"#": BlockKind.HEADING, "~": BlockKind.FURNITURE}
    blocks, at = [], 0
    for number, part in enumerate(parts):
        kind = kinds.get(part[:1], BlockKind.PARAGRAPH)
        page = pages[number] if pages else None
        blocks.append(Block(ordinal=number, kind=kind, start=at, end=at + len(part), page_first=page, page_last=page))
        at += len(part) + 2
    return Text("\n\n".join(parts), tuple(blocks))


def kinds(found: Comparison) -> list[str]:
    return [row.kind for row in found.rows]


def words(text: Text, side: Side | None) -> list[str]:
    assert side is not None
    return [text.text[start:end] for start, end in side.marks]


def test_the_same_text_has_no_differences() -> None:
    found = compare(made("# Fees", FEES), made("# Fees", FEES))
    assert kinds(found) == ["same", "same"]
    assert (found.counts, found.counts.differences, found.cut) == (Counts(same=2), 0, False)
    assert compare(made(), made()).rows == ()


def test_how_lines_are_broken_makes_no_difference() -> None:
    assert kinds(compare(made(FEES), made(FEES.replace("badge is", "badge\nis")))) == ["same"]


def test_changed_words_are_marked_in_both_versions() -> None:
    old, new = made(VISITORS, FEES), made(VISITORS, FEES.replace("12 euros and is", "15 euros, by card, and is"))
    found = compare(old, new)
    assert kinds(found) == ["same", "changed"]
    row = marked(found.rows[1], old.text, new.text, budget=Budget())
    assert words(old, row.old) == ["12"]
    assert words(new, row.new) == ["15", ", by card,"]
    assert found.rows[0] == marked(found.rows[0], old.text, new.text, budget=Budget())


def test_new_and_gone_blocks_stand_in_their_place() -> None:
    found = compare(made(VISITORS, FEES), made(PARKING, VISITORS))
    assert kinds(found) == ["added", "same", "removed"]
    assert found.counts == Counts(same=1, added=1, removed=1)


def test_a_block_that_became_another_one_is_no_change_of_it() -> None:
    assert sorted(kinds(compare(made(FEES), made(PARKING)))) == ["added", "removed"]


def test_a_block_found_elsewhere_was_moved_and_counts_once() -> None:
    old, new = made(FEES, VISITORS, PARKING), made(VISITORS, PARKING, FEES)
    found = compare(old, new)
    assert kinds(found) == ["moved", "same", "same", "moved"]
    assert found.counts == Counts(same=2, moved=1)
    first, last = found.rows[0], found.rows[-1]
    assert (first.elsewhere, last.elsewhere) == (last.new, first.old)
    assert first.old is not None
    assert old.text[first.old.start : first.old.end] == FEES


def test_short_blocks_that_stand_elsewhere_were_not_moved() -> None:
    found = compare(made("Yes.", VISITORS, PARKING), made(VISITORS, PARKING, "Yes."))
    assert found.counts == Counts(same=2, added=1, removed=1)


def test_moved_headings_and_pages_with_other_numbers_are_named() -> None:
    old = made("# Fees", FEES, "# Visits", VISITORS, PARKING, pages=(1, 1, 2, 2, 3))
    new = made("New on this page.", "# Visits", VISITORS, PARKING, "# Fees", FEES, pages=(1, 3, 3, 4, 5, 5))
    found = compare(old, new)
    ((here, there),) = found.headings
    assert (old.text[here.start : here.end], here.page, there.page) == ("# Fees", 1, 5)
    assert found.pages == (((1, 1), (5, 5)), ((2, 3), (3, 4)))


def test_running_heads_are_not_compared() -> None:
    found = compare(made("~Version 1", FEES, "~Version 1"), made("~Version 2", FEES, "~Version 2"))
    assert kinds(found) == ["same"]


def test_a_long_block_is_compared_by_its_sentences() -> None:
    sentences = [f"Sentence number {n} of this long paragraph says something of its own." for n in range(200)]
    changed = [*sentences[:50], "A new one came.", *sentences[50:]]
    found = compare(made(" ".join(sentences)), made(" ".join(changed)))
    assert found.counts == Counts(same=200, added=1)


def test_rows_of_a_table_that_all_changed_are_matched_in_their_order() -> None:
    old = made(*[f"Item of kind {n % 7} costs 12 euros since 2026" for n in range(4_000)])
    new = made(*[f"Item of kind {n % 7} costs 13 euros since 2027" for n in range(4_000)])
    found = compare(old, new)
    assert found.counts == Counts(changed=4_000)
    assert found.cut  # said plainly: not compared word by word as a whole


paragraphs = st.lists(
    st.sampled_from(["# One", "# Two", FEES, VISITORS, PARKING, FEES + " Always.", "Yes.", "~x"]), max_size=9
)


@settings(max_examples=200)
@given(paragraphs, paragraphs)
def test_every_block_of_both_versions_stands_in_a_row_in_its_order(before: list[str], after: list[str]) -> None:
    old, new = made(*before), made(*after)
    found = compare(old, new)
    for text, sides in ((old, [row.old for row in found.rows]), (new, [row.new for row in found.rows])):
        shown = [(side.start, side.end) for side in sides if side]
        assert shown == [(b.start, b.end) for b in text.blocks if b.kind is not BlockKind.FURNITURE]
    for row in found.rows:
        if row.kind == "same":
            assert row.old is not None
            assert row.new is not None
            assert old.text[row.old.start : row.old.end].split() == new.text[row.new.start : row.new.end].split()
        check_marks(marked(row, old.text, new.text, budget=Budget()), old, new)
    counted = [row.kind for row in found.rows]
    assert counted.count("moved") == 2 * found.counts.moved
    assert counted.count("changed") == found.counts.changed


def check_marks(row: Row, old: Text, new: Text) -> None:
    """What is not marked reads the same on both sides."""
    if row.kind != "changed":
        return
    left = []
    for text, side in ((old, row.old), (new, row.new)):
        assert side is not None
        rest, at = [], side.start
        for start, end in side.marks:
            assert at <= start < end <= side.end
            rest += comparing._WORD.findall(text.text[at:start])
            at = end
        left.append([*rest, *comparing._WORD.findall(text.text[at : side.end])])
    assert left[0] == left[1]


VOCABULARY = [f"w{n}" for n in range(5_000)]


def hard(case: str, count: int) -> tuple[list[str], list[str]]:
    chance = random.Random(3)
    if case == "alike":
        return ["the same line"] * count, [*["the same line"] * (count - 1), "another"]
    if case == "few words":
        both = [[" ".join(chance.choices("abcde", k=20)) for _ in range(count)] for _ in range(2)]
        return both[0], both[1]
    base = [" ".join(chance.choices(VOCABULARY, k=20)) + f" id{n}" for n in range(count)]
    if case == "shuffled":
        return base, chance.sample(base, len(base))
    changes = {
        "the same": lambda part: part,
        "every one changed": lambda part: f"{part.replace('w1', 'date2')} 2027",
        "all different": lambda part: part.replace("w", "x").replace("id", "no"),
    }
    return base, [changes[case](part) for part in base]


@pytest.mark.parametrize("case", ["the same", "every one changed", "all different", "shuffled", "alike", "few words"])
def test_fifty_thousand_blocks_take_seconds(case: str) -> None:
    old, new = (made(*parts) for parts in hard(case, 50_000))
    began = time.process_time()
    found = compare(old, new)
    spent = time.process_time() - began
    print(f"{case}: {spent:.1f} s, {found.counts}, cut={found.cut}")
    assert spent < 10
    assert found.counts.same + found.counts.changed + found.counts.removed + found.counts.moved == 50_000


def test_pages_are_kept_with_the_sides() -> None:
    found = compare(made(FEES, pages=(4,)), made(FEES, pages=(4,)))
    (row,) = found.rows
    assert row == replace(row, kind="same")
    assert (row.old and row.old.page, row.new and row.new.page, found.pages) == (4, 4, ())
