"""Hosted models' own markup never reaches the text, however the stream cuts it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.answering.leaks import HostedRun, is_leaked_tag
from chatapp.answering.markers import Anomaly, Cite, Event, MarkerParser, Text
from chatapp.answering.sentinels import is_private_use

LABELS = ("S1", "S2")
OPEN, NEXT, END = "\ue200", "\ue202", "\ue201"

LEAKED = {
    '<cite index="1-2,3-4">Blue</cite> sky.': "Blue sky.",
    "<cite\nBlue</cite> sky.": "Blue sky.",
    "<CITE id='a'>Blue</CITE> sky.": "Blue sky.",
    '<cite index="0">Blue</cite> sky.': "Blue sky.",
    "<citation>Blue</citation> sky.": "Blue sky.",
    "<co: 0>Blue</co: 0> sky.": "Blue sky.",
    "<co:0>Blue</co:0> sky.": "Blue sky.",
    "<co: 0,1>Blue</co: 0,1> sky.": "Blue sky.",
    "<co:0,1>Blue</co:0,1> sky.": "Blue sky.",
    "<co>Blue</co: 0:[1,2]> sky.": "Blue sky.",
    "<co>Blue</co:0:[1]> sky.": "Blue sky.",
    f"Blue {OPEN}cite{NEXT}turn0search0{NEXT}turn0news3{END}sky.": "Blue sky.",
    f"Blue {OPEN}filecite{NEXT}turn0file1{NEXT}L1-L5{END}sky.": "Blue sky.",
    f"Blue {OPEN}cite{END}sky.": "Blue sky.",
    f'Blue {OPEN}entity{NEXT}["place","Ulm"]{END}sky.': "Blue sky.",
    f"Blue{OPEN}image_group{NEXT}x\nsky.": "Blue\nsky.",
    f"Blue {OPEN}cite{NEXT}turn0": "Blue",
    "Blue <cite": "Blue",
    "Blue <cite index=": "Blue",
    "Blue </co: 0": "Blue",
    "- <co: 0>Blue</co: 0> [S1]": "- Blue<1>",
    '<cite index="1">Blue [S1]</cite>.': "Blue<1>.",
}
KEPT = {
    "a <b>bold</b> <code>": "a <b>bold</b> <code>",
    "<co:element> and <column> and <cited>": "<co:element> and <column> and <cited>",
    "`<cite>x</cite>` and\n```\n<co: 0>\n```": "`<cite>x</cite>` and\n```\n<co: 0>\n```",
    "5 <c and c> 6": "5 <c and c> 6",
    f"Blue {OPEN}sky{END} is.": "Blue sky is.",
    f"Blue {OPEN}sky and more": "Blue sky and more",
    f"Blue {OPEN}sk": "Blue sk",
    f"Blue {OPEN}{NEXT}sky{END}": "Blue sky",
}


def events_of(pieces: list[str]) -> list[Event]:
    parser = MarkerParser(LABELS)
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    merged: list[Event] = []
    for event in events:
        if isinstance(event, Text) and merged and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + event.text)
        else:
            merged.append(event)
    return merged


def canonical(events: list[Event]) -> str:
    return "".join(
        event.text if isinstance(event, Text) else f"<{event.number}>"
        for event in events
        if isinstance(event, Text | Cite)
    )


@pytest.mark.parametrize(("raw", "expected"), LEAKED.items())
def test_leaked_markup_is_dropped_and_counted(raw: str, expected: str) -> None:
    events = events_of([raw])
    assert canonical(events) == expected
    assert {event.kind for event in events if isinstance(event, Anomaly)} <= {"leaked_tag", "private_use"}
    assert [event for event in events if isinstance(event, Anomaly)]


@pytest.mark.parametrize(("raw", "expected"), KEPT.items())
def test_what_only_looks_like_it_stays(raw: str, expected: str) -> None:
    events = events_of([raw])
    assert canonical(events) == expected
    assert not [event for event in events if isinstance(event, Anomaly) and event.kind == "leaked_tag"]


@pytest.mark.parametrize("raw", [*LEAKED, *KEPT])
def test_every_split_in_two_three_and_single_characters_gives_the_same_events(raw: str) -> None:
    whole = events_of([raw])
    assert events_of(list(raw)) == whole
    for first in range(len(raw) + 1):
        for second in range(first, len(raw) + 1, 3):
            assert events_of([raw[:first], raw[first:second], raw[second:]]) == whole


PIECES = [
    "<cite", ' index="1">', "</cite>", "<co: 0>", "</co: 0>", "<co:", "0", ">", "</", "<", OPEN, NEXT, END, "cite",
    "entity", "turn0", "[S1]", "Blue. ", " sky", "\n", "`", "[", "]", "(",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(raw=st.lists(st.sampled_from(PIECES), max_size=30).map("".join), cuts=st.lists(st.integers(0, 150), max_size=6))
def test_any_mixture_is_read_the_same_however_it_is_cut(raw: str, cuts: list[int]) -> None:
    places = sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    pieces = [raw[a:b] for a, b in zip(places, places[1:], strict=False)]
    whole = events_of([raw])
    assert events_of(pieces) == events_of(list(raw)) == whole
    assert not any(is_private_use(c) for c in "".join(event.text for event in whole if isinstance(event, Text)))


@settings(max_examples=300, deadline=None)
@given(raw=st.lists(st.sampled_from(PIECES[:15] + ["a", "b"]), max_size=40).map("".join))
def test_at_most_32_characters_are_held_back(raw: str) -> None:
    """What is held is never more: of ``<co: 0>`` and its kin it is decided early that they are dropped."""
    parser = MarkerParser(LABELS)
    for c in raw:
        parser.feed(c)
        assert parser.held <= 32 + 1  # a space that waits for its word


def test_a_tag_or_run_that_is_never_closed_takes_little_with_it() -> None:
    rest = "word " * 100
    for opened in ("<cite ", f"{OPEN}cite{NEXT}"):
        shown = canonical(events_of([f"Blue {opened}{rest}"]))
        assert shown.endswith("word word")
        assert len(shown) > len(rest) - 210


@pytest.mark.parametrize(
    "unit", ["<cite ", "<co: 0>", "</co: 0:[", f"{OPEN}", f"{OPEN}cite", f"{OPEN}abc", f"{OPEN}a{NEXT}"]
)
def test_time_grows_linearly(unit: str) -> None:
    def seconds(length: int) -> float:
        raw = (unit * length)[:length]
        started = time.perf_counter()
        events_of([raw])
        return time.perf_counter() - started

    assert min(seconds(100_000) for _ in range(2)) < 10 * 3 * min(seconds(10_000) for _ in range(2)) + 0.2


def test_name_of_a_tag_is_known_only_with_what_follows() -> None:
    assert is_leaked_tag("<cite", ">")
    assert not is_leaked_tag("<cite", "d")
    assert is_leaked_tag("</co:12", ",")
    assert not is_leaked_tag("<co:a", ">")
    assert not is_leaked_tag("<", ">")


def test_run_gives_back_what_was_no_name() -> None:
    run = HostedRun()
    assert [run.take(c) for c in "ab "] == [None, None, "ab "]
    run = HostedRun()
    assert [run.take(c) for c in "a" * 17] == [None] * 16 + ["a" * 17]
    run = HostedRun()
    assert (run.take("a"), run.held, run.rest()) == (None, 1, "a")
    assert (run.take(NEXT), run.held, run.rest()) == (None, 0, "")
