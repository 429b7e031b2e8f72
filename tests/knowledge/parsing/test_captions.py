from __future__ import annotations

import office
import pytest
from growth import assert_linear
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.errors import DocumentDamaged, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.captions import FULL, SrtParser, WebVttParser
from knowledge.types import ParsedDocument

VTT = """WEBVTT - A talk
Kind: captions
Language: en

NOTE made
by hand

STYLE
::cue { color: lime }

REGION
id:fred

intro
00:01.000 --> 00:02.500 align:left size:50%
<v.loud Anna Lee>Hello &amp; <i>good</i> <c.yellow>morning</c>,

00:02.500 --> 01:00:04.000
<v Anna Lee>everybody.</v>

01:00:04.000 --> 01:00:06.000
<v Ben>Hi<01:00:05.000> there.
"""


def cues(*said: str, seconds: int = 2, gap: float = 0.5) -> str:
    """An SRT file of cues that follow each other after a gap."""
    out = []
    for number, words in enumerate(said):
        start, end = number * seconds, (number + 1) * seconds - gap
        out.append(f"{number + 1}\n{stamp(start)} --> {stamp(end)}\n{words}\n")
    return "\n".join(out)


def stamp(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{round(seconds % 1 * 1000):03}"


def said(document: ParsedDocument) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks]


def test_a_turn_is_a_paragraph_that_names_its_speaker_once(parse) -> None:
    document = parse(VTT, "a.vtt")
    assert said(document) == ["Anna Lee: Hello & good morning, everybody.", "Ben: Hi there."]
    assert [dict(b.attrs) for b in document.blocks] == [
        {"speaker": "Anna Lee", "time": [1.0, 3604.0]},
        {"speaker": "Ben", "time": [3604.0, 3606.0]},
    ]
    assert document.title == "A talk"
    assert document.warnings == ()
    for left_out in ("made", "lime", "fred", "intro", "captions", "-->", "00:0"):
        assert left_out not in document.text


@pytest.mark.parametrize("expected", office.of_format("vtt"))
def test_real_captions(parse, expected) -> None:
    document = parse(expected.data, expected.file.name)
    assert office.unmet(document, expected.row) == []
    assert document.text.count("Roger Bingham:") == 3


def test_captions_are_known_by_their_first_bytes_without_a_name(parse) -> None:
    assert parse(VTT, "captions").parser == "webvtt"


def test_subtitles_are_read_with_and_without_numbers_and_marks(parse) -> None:
    source = (
        "\ufeff1\r\n00:00:01,5 --> 00:00:02\r\n{\\an8}<font color='red'>Where</font> are\r\nyou?\r\n\r\n"
        "00:00:03,000 --> 00:00:04,000\r\n- Here.\r\n- <b>Where?</b>\r\n3\r\n00:00:05,000 --> 00:00:06,000\r\n1999 <laughs>\r\n"
    )
    document = parse(source, "a.srt")
    assert said(document) == ["Where are you? - Here. - Where? 1999 <laughs>"]
    assert document.blocks[0].attrs == {"time": [1.5, 6.0]}


def test_a_blank_line_within_a_subtitle_does_not_lose_what_follows(parse) -> None:
    assert said(parse("1\n00:00:01,000 --> 00:00:02,000\nfirst\n\nsecond\n", "a.srt")) == ["first second"]


def test_paragraphs_end_with_a_sentence_near_the_limit(parse) -> None:
    document = parse(cues(*["These are words that somebody says now, and this is their end."] * 30, gap=1), "a.srt")
    lengths = [b.end - b.start for b in document.blocks]
    assert all(300 <= length <= FULL for length in lengths[:-1])
    assert all(part.endswith("end.") for part in said(document))
    assert document.text.count("These are") == 30


def test_a_long_silence_begins_a_paragraph(parse) -> None:
    assert len(parse(cues("One", "two", seconds=60, gap=50), "a.srt").blocks) == 2


def test_the_second_paragraph_of_a_turn_does_not_name_the_speaker_again(parse) -> None:
    lines = "\n\n".join(
        f"00:{n:02}.000 --> 00:{n:02}.500\n<v Anna>Words number {n} are said here, and more of them." for n in range(20)
    )
    document = parse(f"WEBVTT\n\n{lines}\n", "a.vtt")
    assert len(document.blocks) > 1
    assert document.text.count("Anna:") == 1
    assert {b.attrs["speaker"] for b in document.blocks} == {"Anna"}


def test_rolling_captions_are_said_once(parse) -> None:
    source = """WEBVTT

00:00:00.000 --> 00:00:02.000
\x20
hello<00:00:00.500><c> dear</c> <00:00:01.000><c>world</c>

00:00:02.000 --> 00:00:02.010
hello dear world

00:00:02.010 --> 00:00:04.000
hello dear world
this<00:00:03.000><c> rolls</c>

00:00:04.000 --> 00:00:06.000
this rolls
to its end
"""
    document = parse(source, "a.vtt")
    assert said(document) == ["hello dear world this rolls to its end"]
    assert document.blocks[0].attrs["time"] == [0.0, 6.0]


def test_a_caption_that_grows_is_said_once(parse) -> None:
    document = parse(cues("This is what", "This is what we know", "This is what we know today.", gap=0), "a.srt")
    assert said(document) == ["This is what we know today."]


def test_words_repeated_after_a_pause_are_kept(parse) -> None:
    assert said(parse(cues("No.", "No.", "No, I said.", gap=1), "a.srt")) == ["No. No. No, I said."]


def test_a_broken_time_is_reported_with_its_line_and_its_words_are_kept(parse) -> None:
    source = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\nright\n\n00:xx --> 00:03.000\nbroken\n\n00:09.000 --> 00:04.000\nback\n"
    )
    document = parse(source, "a.vtt")
    assert document.warnings == ("Captions without a time that can be read are kept without one: line 6, 9.",)
    assert [part.split()[-1] for part in said(document)] == ["right", "back"]
    assert "broken" in document.text
    assert document.blocks[1].attrs == {}


def test_words_outside_any_cue_are_kept_and_reported(parse) -> None:
    document = parse("WEBVTT\n\nlost words\n\n00:01.000 --> 00:02.000\nright\n", "a.vtt")
    assert said(document) == ["lost words", "right"]
    assert "line 3." in document.warnings[0]


def test_many_broken_times_are_counted(parse) -> None:
    source = cues("fine") + "\n".join(f"\n{n}\n00:00:aa --> 00:00:bb\nw{n}\n" for n in range(20))
    assert parse(source, "a.srt").warnings[0].endswith(" and 10 more.")


def test_an_arrow_in_what_is_said_loses_nothing(parse) -> None:
    assert "turn A --> B now" in parse(cues("first\nturn A --> B now"), "a.srt").text


def test_the_reading_of_a_word_stands_in_brackets_and_wide_lines_join_without_a_space(parse) -> None:
    source = "WEBVTT\n\n00:01.000 --> 00:02.000\n<ruby>漢字<rt>かんじ</rt></ruby>を\n読む。\n"
    assert said(parse(source, "a.vtt")) == ["漢字(かんじ)を読む。"]


def test_no_caption_at_all(parse) -> None:
    with pytest.raises(DocumentWithoutText):
        parse("WEBVTT\n\nNOTE only a remark\n", "a.vtt")
    with pytest.raises(DocumentDamaged, match="no caption with a time"):
        parse("just words\n\nmore\n", "a.srt")


PIECES = ["00:01.000 --> 00:02.000\n", "00:00:03,000 --> 00:00:04,000\n", "1\n", "\n", "\n\n", "WEBVTT\n", "NOTE x\n",
          "<v Ann>", "</v>", "<i>", "&amp;", "&#0;", "&#xD800;", "word ", "-->", "\u202e", "漢。", "<rt>"]  # fmt: skip


@given(source=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@settings(max_examples=150, deadline=None)
def test_no_mark_comes_out_and_no_word_is_lost(source: str) -> None:
    body = f"{source}\n\n00:09.000 --> 00:10.000\ncanary\n"
    for parser, head in ((WebVttParser(), "WEBVTT\n\n"), (SrtParser(), "")):
        document = parser.parse((head + body).encode(), ParseContext(filename="a"))
        assert "canary" in document.text
        assert "<i>" not in document.text


@pytest.mark.parametrize("piece", [cues("word"), "<v a", "-->", "1\n", "&#1", "{\\", "<rt>", "\n\n", "a\n"])
def test_time_grows_with_the_size_and_no_faster(piece: str) -> None:
    assert_linear(SrtParser(), piece)
    assert_linear(WebVttParser(), piece)
