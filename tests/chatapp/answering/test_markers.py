from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.answering.markers import Anomaly, Cite, Event, MarkerParser, NoAnswer, SentenceEnd, Text
from chatapp.answering.sentinels import is_private_use, sentinel

LABELS = ("S1", "S2", "S3", "S12")


def parse(pieces: Iterable[str], *, titles: tuple[str, ...] = ()) -> list[Event]:
    """Parse and merge neighbouring texts."""
    parser = MarkerParser(LABELS, titles=titles)
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    merged: list[Event] = []
    for event in events:
        if isinstance(event, Text) and merged and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + event.text)
        else:
            merged.append(event)
    return merged


def canonical(events: Iterable[Event]) -> str:
    """The answer's text, sentinels written as ``<n>``."""
    shown = {Text: lambda e: e.text, Cite: lambda e: f"<{e.number}>"}
    return "".join(shown[type(event)](event) for event in events if type(event) in shown)


def read(text: str, **options: tuple[str, ...]) -> str:
    return canonical(parse([text], **options))


def anomalies(text: str) -> list[str]:
    return [event.kind for event in parse([text]) if isinstance(event, Anomaly)]


def sentences(text: str) -> list[str]:
    events = parse([text])
    full = "".join(
        event.text if isinstance(event, Text) else sentinel(event.number)
        for event in events
        if isinstance(event, Text | Cite)
    )
    ends = [event.sentence for event in events if isinstance(event, SentenceEnd)]
    return [full[each.start : each.end].replace("\ue000", "<").replace("\ue001", ">") for each in ends]


ACCEPTED = {
    "Blue [S1].": "Blue<1>.",
    "Blue [S1, S3].": "Blue<1><2>.",
    "Blue [S1][S3].": "Blue<1><2>.",
    "Blue [S1] [S3].": "Blue<1><2>.",
    "Blue [S1], [S3].": "Blue<1><2>.",
    "Blue [S1 and S3].": "Blue<1><2>.",
    "Blue [S1-S3].": "Blue<1><2><3>.",
    "Blue [S1–3].": "Blue<1><2><3>.",
    "Blue【S1】.": "Blue<1>.",
    "Blue ［S1］.": "Blue<1>.",
    "Blue [[S1]].": "Blue<1>.",
    "Blue (S1).": "Blue<1>.",
    "Blue [Source 1].": "Blue<1>.",
    "Blue (Source 1).": "Blue<1>.",
    "Blue [Sources 1, 2].": "Blue<1><2>.",
    "Blue [Quelle 1].": "Blue<1>.",
    "Blue [1].": "Blue<1>.",
    "Blue[1].": "Blue<1>.",
    "Blue [1][2].": "Blue<1><2>.",
    "Blue [^1].": "Blue<1>.",
    "Blue [s1].": "Blue<1>.",
    "Blue [S1, p. 4].": "Blue<1>.",
    "Blue [S1: page 4].": "Blue<1>.",
    "Blue [S3.2].": "Blue<1>.",
    r"Blue \[S1\].": "Blue<1>.",
    "Blue 【1†source】.": "Blue<1>.",
    "Blue [S1][S1].": "Blue<1>.",
    "Blue [S3]. Red [S1]. Blue [S3].": "Blue<1>. Red<2>. Blue<1>.",
    "The sky [S1]is blue.": "The sky<1> is blue.",
    "As [S1], so [S2].": "As<1>, so<2>.",
    "[S1] says so.": "<1> says so.",
    "- [S1] says so.": "- <1> says so.",
    "> quoted [S1]": "> quoted<1>",
    "| a | b |\n|---|---|\n| 5 [S1] | 6 [S2] |": "| a | b |\n|---|---|\n| 5<1> | 6<2> |",
    "Costs $5 [S1] and $6 [S2].": "Costs $5<1> and $6<2>.",
    "Costs $x [S1].": "Costs $x<1>.",
    "a <b [S1].": "a <b<1>.",
    "**Bold** [S1].": "**Bold**<1>.",
}
LEFT_ALONE = [
    "array x[0] and x[1]",
    "a_list[1]",
    "see [2](https://example.org)",
    "[1]: https://example.org",
    "[text][1]",
    "in [2019] and [100]",
    "a [link [x]](https://example.org/[S1])",
    "`x[S1]` and ``y`[S1]``",
    "```\nx [S1]\n```",
    "~~~\nx [S1]\n~~~",
    "```code [S1]```",
    "$a[S1]$ and $$b\n[S1]$$",
    r"\(a[S1]\) and \[b [S1]\]",
    '<a title="[S1]">x</a>',
    "- [ ] open\n- [x] done",
    "[sic] (see below) [S] [Sun]",
    "(1) first, (2) second",
    "5 < 6 and a<b",
    "Sources of income are many.",
    "Sources:\n- wind\n- sun",
    "NO_ANSWERS are kept",
]


@pytest.mark.parametrize(("raw", "expected"), ACCEPTED.items())
def test_every_accepted_form_becomes_a_citation(raw: str, expected: str) -> None:
    assert read(raw) == expected


@pytest.mark.parametrize("raw", LEFT_ALONE)
def test_brackets_that_are_no_markers_stay(raw: str) -> None:
    events = parse([raw])
    assert canonical(events) == raw
    assert not [event for event in events if isinstance(event, Cite | Anomaly | NoAnswer)]


@pytest.mark.parametrize(
    ("raw", "expected", "kinds"),
    [
        ("Blue [S99].", "Blue.", ["out_of_range"]),
        ("Blue [7].", "Blue.", ["out_of_range"]),
        ("Blue (S42).", "Blue.", ["out_of_range"]),
        ("Blue [S1, S99].", "Blue<1>.", ["out_of_range"]),
        ("Blue [S0].", "Blue.", ["out_of_range"]),
        ("Blue [^9].", "Blue.", ["out_of_range"]),
        ("Blue [S1-S9].", "Blue.", ["range_too_long"]),
        ("Blue 【4:0†source】.", "Blue.", ["leaked_marker"]),
        ("Blue [S1 is it.", "Blue is it.", ["unclosed_marker"]),
        ("Blue [S1", "Blue", ["unclosed_marker"]),
        ("Blue [S", "Blue", ["unclosed_marker"]),
        ("Blue [S1](http://evil.test/x).", "Blue<1>.", ["marker_link"]),
        ("Blue [S99](http://evil.test/x).", "Blue.", ["out_of_range", "marker_link"]),
        ('<cite index="1-2">Blue</cite> sky', "Blue sky", ["leaked_tag", "leaked_tag"]),
        ("Blue \ue200cite\ue202turn0search0\ue201sky", "Blue sky", ["private_use"]),
        ("Blue\ue0001\ue001 sky\U000f0000.", "Blue1 sky.", ["private_use"] * 3),
    ],
)
def test_what_must_not_be_shown_is_dropped_and_counted(raw: str, expected: str, kinds: list[str]) -> None:
    assert read(raw) == expected
    assert anomalies(raw) == kinds


def test_address_without_scheme_after_a_marker_is_text() -> None:
    assert read("Blue [S1](see above).") == "Blue<1>(see above)."


def test_control_characters_and_lone_surrogates_are_removed() -> None:
    assert read("a\x00b\x1b\ud800c\r\nd\te") == "abc\nd\te"


def test_closing_fence_and_table_row_are_not_touched_by_a_marker_on_the_next_line() -> None:
    assert read("```\nx\n```\n[S1]\nAfter.") == "```\nx\n```\n<1>\nAfter."
    assert read("| a |\n[S1]\n") == "| a |\n<1>"


def test_no_answer_at_the_beginning_is_an_event_and_no_text() -> None:
    for raw in (
        "NO_ANSWER\nNothing on parking.",
        "**NO_ANSWER**\n\nNothing on parking.",
        "NO_ANSWER: Nothing on parking.",
    ):
        events = parse([raw])
        assert events[0] == NoAnswer()
        assert canonical(events) == "Nothing on parking."
    assert parse(["NO_ANSWER"]) == [NoAnswer()]


def test_no_answer_after_a_citation_is_only_counted() -> None:
    events = parse(["Blue [S1].\nNO_ANSWER"])
    assert canonical(events) == "Blue<1>."
    assert Anomaly("late_no_answer", "NO_ANSWER") in events
    assert NoAnswer() not in events


@pytest.mark.parametrize(
    "tail",
    [
        "\n\nSources:\n- [S1] Handbook\n- [S2] Other\n",
        "\n\n**Sources**\n\n1. [S1] Handbook",
        "\n\n## References\n[1] Handbook",
        "\nSources: [S1], [S2]",
        "\nQuellen:\n- S1",
        "\nSources:",
        "\n\nSources:\n- Handbook of everything, page 4",
    ],
)
def test_source_list_at_the_end_is_dropped(tail: str) -> None:
    events = parse(["Blue [S1]." + tail], titles=("Handbook of everything",))
    assert canonical(events) == "Blue<1>."
    assert [event.kind for event in events if isinstance(event, Anomaly)] == ["source_list"]


def test_source_list_in_the_middle_is_given_back_when_text_follows() -> None:
    raw = "Blue.\n\nSources:\n- [S1] wind\n\nThen more [S2]."
    assert read(raw) == "Blue.\n\nSources:\n- <1> wind\n\nThen more<2>."


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("One [S1]. Two [S2].", ["One<1>.", "Two<2>."]),
        ("One. [S1] Two. [S2]", ["One.<1>", "Two.<2>"]),
        ("One.\n[S1]\nTwo.", ["One.<1>", "Two."]),
        ("One.\n\n[S1]\n\nTwo.", ["One.<1>", "Two."]),
        ("One.\n[S1] says two.", ["One.", "<1> says two."]),
        ("- one\n- two [S1]\n- three", ["- one", "- two<1>", "- three"]),
        ("天空是蓝的。[S1]草是绿的。", ["天空是蓝的。<1>", "草是绿的。"]),
        ('He said "No." [S1] Then he left.', ['He said "No."<1>', "Then he left."]),
    ],
)
def test_marker_after_the_full_stop_belongs_to_the_sentence_before(raw: str, expected: list[str]) -> None:
    assert sentences(raw) == expected


def test_citation_carries_its_position_and_sentence() -> None:
    events = parse(["Blue [S3]. Red [S1]."])
    cites = [event for event in events if isinstance(event, Cite)]
    assert cites == [Cite("S3", 1, 4, 0), Cite("S1", 2, 12, 1)]


def test_first_visible_character_is_not_held() -> None:
    assert MarkerParser(LABELS).feed("T") == [Text("T")]


def test_at_most_32_characters_of_a_marker_are_held() -> None:
    parser = MarkerParser(LABELS)
    assert parser.feed("x[" + "1" * 31) == [Text("x")]
    assert parser.feed("1") == [Text("[" + "1" * 32)]


def test_half_marker_is_never_emitted() -> None:
    parser = MarkerParser(LABELS)
    assert [parser.feed(c) for c in " [S1"] == [[]] * 4
    assert parser.feed("]") == [Cite("S1", 1, 0, 0)]


@pytest.mark.parametrize(
    "raw", [*ACCEPTED, *LEFT_ALONE, "NO_ANSWER\nx", "A [S1].\nSources: [S1]", "a\ue200cite\ue201b"]
)
def test_every_split_in_two_and_single_characters_give_the_same_events(raw: str) -> None:
    whole = parse([raw])
    assert parse(raw) == whole
    for at in range(1, len(raw)):
        assert parse([raw[:at], raw[at:]]) == whole


PIECES = [
    *"[]()【】［］`~$|*#_-<>\\\n .,;:^S19sx草。！",
    "[S1]", "[S2, S3]", "[S99]", "(S1)", "```", "```\n", "$$", "\\[", "\\]", "\n\n", "NO_ANSWER", "Sources:\n",
    "- [S1]",
    "\n| a | b |\n", "<cite ", "<b>", "\ue200cite", "\ue201", "\ue000", "Dr. ", "3.5", "http://", "](", "†",
]  # fmt: skip
garbage = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(raw=garbage, cuts=st.lists(st.integers(0, 120), max_size=6))
def test_any_split_of_any_output_gives_the_same_events(raw: str, cuts: list[int]) -> None:
    places = sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    pieces = [raw[a:b] for a, b in zip(places, places[1:], strict=False)]
    assert parse(pieces) == parse([raw]) == parse(raw)


@settings(max_examples=300, deadline=None)
@given(raw=garbage)
def test_no_output_can_forge_a_citation_or_break_the_text(raw: str) -> None:
    events = parse([raw])
    text = ""
    last_end = 0
    for event in events:
        if isinstance(event, Text):
            assert not any(is_private_use(c) for c in event.text)
            text += event.text
        elif isinstance(event, Cite):
            assert event.label in LABELS
            assert event.position == len(text)
            text += sentinel(event.number)
        elif isinstance(event, SentenceEnd):
            assert last_end <= event.sentence.start < event.sentence.end <= len(text)
            assert not text[event.sentence.start].isspace()
            last_end = event.sentence.end
    assert text == text.strip()
    assert not text[last_end:].strip()


@pytest.mark.parametrize("unit", ["1", "[", "[S1", "(S", "`", "Sources:\n", "- [S1] x\n", "$x ", "<a", "\\[", "[[S1] "])
def test_time_grows_linearly(unit: str) -> None:
    def seconds(length: int) -> float:
        raw = (unit * length)[:length]
        best = 9.0
        for _ in range(2):
            started = time.perf_counter()
            parse([raw])
            best = min(best, time.perf_counter() - started)
        return best

    assert seconds(100_000) < 10 * 3 * seconds(10_000) + 0.2
