from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from labelled_sets import change, write_rows

from chatapp.evaluation.labelled import (
    SETS,
    QuestionSet,
    Span,
    UnusableSet,
    chosen,
    is_hit,
    load,
    question_sets,
    read_rewritten,
)

GOLD = Span("a", 100, 200)


@pytest.mark.parametrize(
    ("start", "end", "hit"),
    [
        (100, 200, True),
        (0, 150, True),  # half of the gold span, which is the shorter
        (0, 149, False),
        (180, 220, True),  # half of the passage, which is the shorter
        (181, 220, False),
        (0, 1000, True),
        (200, 300, False),
    ],
)
def test_half_of_the_shorter_range_counts(start: int, end: int, hit: bool) -> None:
    assert is_hit(Span("a", start, end), GOLD) is hit
    assert not is_hit(Span("b", start, end), GOLD)


def rows(**more: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {
        "corpus": [{"doc_id": "a", "title": "A", "text": "one\r\ntwo\rthree\r\nfour"}],
        "queries": [{"query_id": "1", "text": "two?"}],
        "qrels": [{"query_id": "1", "doc_id": "a", "start": 5, "end": 8}],
        **more,
    }


@pytest.mark.parametrize(("start", "end", "words"), [(0, 3, "one"), (5, 8, "two"), (9, 14, "three"), (16, 20, "four"), (0, 5, "one\n")])  # fmt: skip
def test_gold_spans_follow_the_line_ends(tmp_path: Path, start: int, end: int, words: str) -> None:
    write_rows(tmp_path, rows(qrels=[{"query_id": "1", "doc_id": "a", "start": start, "end": end}]))
    source = load(tmp_path)
    assert source.documents[0].text == "one\ntwo\nthree\nfour"
    assert source.text_of(source.questions[0].gold[0]) == words


def test_spans_count_once_and_gold_sentences_are_not_passages(tmp_path: Path) -> None:
    span = {"query_id": "1", "doc_id": "a", "start": 0, "end": 8, "grade": 1}
    write_rows(tmp_path, rows(qrels=[span, span, {**span, "end": 3, "grade": 2}]))
    assert load(tmp_path).questions[0].gold == (Span("a", 0, 7),)


def test_history_has_the_roles_of_the_product(tmp_path: Path) -> None:
    history = [{"role": "user", "text": "before"}, {"role": "agent", "text": "reply"}]
    write_rows(tmp_path, rows(queries=[{"query_id": "1", "text": "two?", "history": history}]))
    assert [(turn.role, turn.text) for turn in load(tmp_path).questions[0].history] == [
        ("user", "before"), ("assistant", "reply"),
    ]  # fmt: skip


def test_documents_are_plain_text_unless_they_say_otherwise(tmp_path: Path) -> None:
    one, two = {"doc_id": "a", "title": "A", "text": "x" * 30}, {"doc_id": "b", "text": "y", "format": "md"}
    write_rows(tmp_path / "own", rows(corpus=[one, two]))
    write_rows(tmp_path / "wiki", rows(corpus=[one]))
    assert [(d.suffix, d.title) for d in load(tmp_path / "own").documents] == [("txt", "A"), ("md", "")]
    assert load(tmp_path / "wiki").documents[0].suffix == "md"


def test_only_questions_that_can_be_judged_are_chosen(tmp_path: Path) -> None:
    queries = [
        {"query_id": "1", "text": "found?"},
        {"query_id": "2", "text": "no span?"},
        {"query_id": "3", "text": "none?", "answerable": False},
        {"query_id": "4", "text": "what do you mean?", "answerable": False, "answerability": "UNDERSPECIFIED"},
        {"query_id": "5", "text": "of another split?", "split": "train"},
    ]
    write_rows(tmp_path, rows(queries=queries))
    asked = QuestionSet("eval", "any", lambda q: q.get("split") != "train")
    assert [q.id for q in chosen(load(tmp_path), asked)] == ["1", "3"]


def test_fewer_questions_are_spread_evenly(ferry: Path) -> None:
    source, asked = load(ferry), question_sets("ferry")[0]
    few = chosen(source, asked, most=5)
    assert [q.id for q in few if q.answerable] == ["meaning-0", "meaning-5", "meaning-10", "meaning-15", "meaning-20"]
    assert [q.id for q in few if not q.answerable] == ["nothing-0", "nothing-2", "nothing-4"]
    assert len(chosen(source, asked, most=1000)) == len(chosen(source, asked)) == 54


def test_an_unknown_folder_is_one_question_set() -> None:
    assert [s.name for s in question_sets("ferry")] == ["ferry"]
    assert [s.name for s in question_sets("longdoc")] == ["longdoc", "longdoc, answer text"]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"corpus": None}, "it has no corpus.jsonl"),
        ({"qrels": [{"query_id": "1", "doc_id": "b", "start": 0, "end": 1}]}, "the document b, which is not there"),
        ({"qrels": [{"query_id": "1", "doc_id": "a", "start": 0, "end": 99}]}, "lies outside its document"),
        ({"qrels": [{"query_id": "1", "doc_id": "a", "start": 2, "end": 2}]}, "lies outside its document"),
        ({"queries": [{"query_id": "1"}]}, "has a row without 'text'"),
        ({"queries": [{"query_id": "1", "text": "a"}, {"query_id": "1", "text": "b"}]}, "has the question 1 twice"),
        ({"corpus": [{"doc_id": "a", "text": "twelve chars"}] * 2}, "has the document a twice"),
        ({"queries": ["words"]}, "line 1: not a JSON object"),
    ],
)
def test_what_is_no_set_is_said_in_a_sentence(tmp_path: Path, broken: dict[str, Any], words: str) -> None:
    write_rows(tmp_path, {name: lines for name, lines in rows(**broken).items() if lines is not None})
    with pytest.raises(UnusableSet, match=words) as caught:
        load(tmp_path)
    assert str(caught.value).endswith(".")


def test_files_that_are_no_json_lines_are_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnusableSet, match="There is no folder"):
        load(tmp_path / "nowhere")
    write_rows(tmp_path, rows())
    (tmp_path / "queries.jsonl").write_text('{"query_id": "1", "text": "two?"}\n\n{"query_id"\n')
    with pytest.raises(UnusableSet, match="line 3: not JSON"):
        load(tmp_path)
    (tmp_path / "queries.jsonl").write_bytes(b'{"query_id": "\xff"}\n')
    with pytest.raises(UnusableSet, match="not UTF-8"):
        load(tmp_path)


def test_lines_may_hold_the_separators_of_unicode(tmp_path: Path) -> None:
    write_rows(tmp_path, rows())
    (tmp_path / "corpus.jsonl").write_text('{"doc_id": "a", "text": "one\u2028two\u0085three"}\n', encoding="utf-8")
    assert load(tmp_path).documents[0].text == "one\u2028two\x85three"


def test_edited_rows_are_written_again(ferry: Path) -> None:
    change(ferry, "queries", lambda row: row if row["query_id"] == "meaning-0" else None)
    assert [q.id for q in load(ferry).questions] == ["meaning-0"]


COUNTS = {
    "wiki, hand": (32, 8), "wiki, known_item": (200, 0), "squad, split eval": (819, 843),
    "papers, standalone": (286, 0), "papers, scoped": (291, 0), "longdoc": (173, 0), "longdoc, answer text": (173, 0),
    "multiturn, with history": (163, 39), "multiturn, last turn": (163, 39), "longanswer": (117, 124),
}  # fmt: skip


def test_standard_sets_hold_the_questions_they_are_known_for(data: Path) -> None:
    found = {}
    for asked in SETS:
        questions = chosen(load(data / asked.folder), asked)
        found[asked.name] = (sum(q.answerable for q in questions), sum(not q.answerable for q in questions))
    assert found == COUNTS


def test_what_a_model_made_of_questions_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rewritten.jsonl"
    path.write_text(
        '{"query_id": "a", "standalone": "Who?"}\n{"query_id": "b", "parts": ["X?", "Y?"]}\n', encoding="utf-8"
    )
    found = read_rewritten(path)
    assert (found["a"].standalone, found["a"].parts, found["b"].parts) == ("Who?", None, ("X?", "Y?"))


@pytest.mark.parametrize(
    "row", ['{"standalone": "Who?"}', '{"query_id": "a", "parts": "X?"}', '{"query_id": "a", "standalone": 3}']
)
def test_row_that_rewrites_nothing_is_refused(tmp_path: Path, row: str) -> None:
    path = tmp_path / "rewritten.jsonl"
    path.write_text(row + "\n", encoding="utf-8")
    with pytest.raises(UnusableSet, match="has a row that is no query_id"):
        read_rewritten(path)
