"""Labelled sets: documents, questions, and the passages that answer them; and what counts as found.

A set is a folder of JSON lines. ``corpus.jsonl``: ``doc_id, title, text``. ``queries.jsonl``: ``query_id, text``
and where they apply ``answerable, history[{role, text}], scope_doc_id, split``. ``qrels.jsonl``: ``query_id,
doc_id, start, end`` in code points, end exclusive; all rows of a question are relevant.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from knowledge.types import Rewritten, Turn

Row = Mapping[str, Any]

FILES = ("corpus.jsonl", "queries.jsonl", "qrels.jsonl")
MARKDOWN = ("wiki", "longdoc")
"""Folders whose documents are Markdown; those of any other are plain text, unless a row states its ``format``."""

SENTENCE_GRADE = 2
"""Grade of a gold sentence inside a gold passage: for citations; to be found is the passage."""


class UnusableSet(ValueError):
    """A folder is no labelled set; the message says in a sentence what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a document of the set, in code points, end exclusive."""

    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDocument:
    id: str
    title: str
    text: str
    suffix: str  # "md" or "txt": which parser reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    id: str
    text: str
    gold: tuple[Span, ...]  # what answers it; empty where nothing does
    answerable: bool
    history: tuple[Turn, ...]
    row: Row  # as it stands in the file
    rewritten: Rewritten | None = None  # what a language model made of it, where that was given


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    name: str  # of the folder
    documents: tuple[SourceDocument, ...]
    questions: tuple[Question, ...]

    def text_of(self, span: Span) -> str:
        return next(d.text for d in self.documents if d.id == span.document)[span.start : span.end]


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Some questions of a folder.

    ``scoped``: each is asked of its own document only. ``history``: with what was said before. ``copies``: near
    copies of a passage count once, and a passage that holds the words of the gold span is a hit, wherever it stands.
    """

    name: str
    folder: str
    wanted: Callable[[Row], bool]
    scoped: bool = False
    history: bool = True
    copies: bool = False


SETS = (
    QuestionSet("wiki, hand", "wiki", lambda q: q.get("split") == "hand"),
    QuestionSet("wiki, known_item", "wiki", lambda q: q.get("split") == "known_item"),
    QuestionSet("squad, split eval", "squad", lambda q: q.get("split") == "eval"),
    QuestionSet("papers, standalone", "papers", lambda q: bool(q.get("standalone"))),
    QuestionSet("papers, scoped", "papers", lambda q: bool(q.get("scope_doc_id")), scoped=True),
    QuestionSet("longdoc", "longdoc", lambda q: True),
    QuestionSet("longdoc, answer text", "longdoc", lambda q: True, copies=True),
    QuestionSet("multiturn, with history", "multiturn", lambda q: True),
    QuestionSet("multiturn, last turn", "multiturn", lambda q: True, history=False),
    QuestionSet("longanswer", "longanswer", lambda q: True),
)


def question_sets(folder: str) -> tuple[QuestionSet, ...]:
    """Return the standard question sets of a folder, or one of all its questions where none are named."""
    return tuple(s for s in SETS if s.folder == folder) or (QuestionSet(folder, folder, lambda q: True),)


def is_hit(passage: Span, gold: Span) -> bool:
    """Tell whether a passage counts: it shares at least half of the shorter of the two, in the same document."""
    if passage.document != gold.document:
        return False
    shared = min(passage.end, gold.end) - max(passage.start, gold.start)
    return 2 * shared >= min(passage.end - passage.start, gold.end - gold.start)


def read(path: Path) -> list[Row]:
    """Return the rows of a JSON lines file.

    :raises UnusableSet: it is not there, or a line is no JSON object.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UnusableSet(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UnusableSet(f"{path} is not UTF-8.") from error
    return [_row(line, path, number) for number, line in enumerate(lines, start=1) if line.strip()]


def _row(line: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UnusableSet(f"{path}, line {number}: not JSON.") from error
    if not isinstance(row, dict):
        raise UnusableSet(f"{path}, line {number}: not a JSON object.")
    return row


def load(folder: Path) -> LabelledSet:
    """Read a labelled set. Line ends become LF, as the parsers make them, and gold spans move along.

    :raises UnusableSet: a file is missing or broken, an id stands twice, or a gold span lies outside its document.
    """
    corpus, queries, qrels = (_read(folder, name) for name in FILES)
    try:
        edges = {row["doc_id"]: _carriage_returns(row["text"]) for row in corpus}
        documents = tuple(_document(row, folder.name) for row in corpus)
        gold = _gold(qrels, edges, {document.id: len(document.text) for document in documents})
        questions = tuple(_question(row, gold.get(row["query_id"], ())) for row in queries)
        for name, found in (("document", [d.id for d in documents]), ("question", [q.id for q in questions])):
            if twice := sorted(i for i, count in Counter(found).items() if count > 1):
                raise UnusableSet(f"The set {folder} has the {name} {twice[0]} twice.")
    except KeyError as error:
        raise UnusableSet(f"The set {folder} has a row without {error}.") from error
    return LabelledSet(name=folder.name, documents=documents, questions=questions)


def read_rewritten(path: Path) -> dict[str, Rewritten]:
    """Return what a language model made of questions: ``query_id`` with ``standalone``, ``wordings`` or ``parts``.

    :raises UnusableSet: the file cannot be read, or a row is no such row.
    """
    found: dict[str, Rewritten] = {}
    for row in read(path):
        standalone, *lists = row.get("standalone", ""), row.get("wordings"), row.get("parts")
        fits = isinstance(standalone, str) and all(
            texts is None or (isinstance(texts, list) and all(isinstance(text, str) for text in texts))
            for texts in lists
        )
        if not isinstance(row.get("query_id"), str) or not fits:
            raise UnusableSet(f"{path} has a row that is no query_id with standalone, wordings or parts.")
        wordings, parts = (None if texts is None else tuple(texts) for texts in lists)
        found[row["query_id"]] = Rewritten(standalone=standalone, wordings=wordings, parts=parts)
    return found


def with_rewritten(source: LabelledSet, rewritten: Mapping[str, Rewritten]) -> LabelledSet:
    """Return the set whose questions come with what a language model made of them, where that is known."""
    return replace(
        source, questions=tuple(replace(q, rewritten=rewritten.get(q.id, q.rewritten)) for q in source.questions)
    )


def chosen(source: LabelledSet, questions: QuestionSet, *, most: int | None = None) -> list[Question]:
    """Return the questions of a question set, or ``most`` of the answerable and unanswerable each, evenly spread.

    Answerable ones without a gold span are left out: nothing could be found for them. So are those whose
    right answer is to ask back (``UNDERSPECIFIED``): they are neither.
    """
    wanted = [q for q in source.questions if questions.wanted(q.row)]
    answerable = [q for q in wanted if q.answerable and q.gold]
    others = [q for q in wanted if not q.answerable and q.row.get("answerability") != "UNDERSPECIFIED"]
    return [*_spread(answerable, most), *_spread(others, most)]


def _spread(questions: Sequence[Question], most: int | None) -> list[Question]:
    return list(questions if most is None else questions[:: max(1, -(-len(questions) // most))])


def _read(folder: Path, name: str) -> list[Row]:
    if not folder.is_dir():
        raise UnusableSet(f"There is no folder {folder}.")
    if not (folder / name).is_file():
        raise UnusableSet(f"{folder} is no labelled set: it has no {name}.")
    return read(folder / name)


def _document(row: Row, folder: str) -> SourceDocument:
    text = row["text"].replace("\r\n", "\n").replace("\r", "\n")
    suffix = row.get("format") or ("md" if folder in MARKDOWN else "txt")
    return SourceDocument(id=row["doc_id"], title=row.get("title") or "", text=text, suffix=suffix)


def _carriage_returns(text: str) -> list[int]:
    """Return where characters vanish: the CR of each CR LF."""
    return [at for at, c in enumerate(text) if c == "\r" and text[at + 1 : at + 2] == "\n"] if "\r" in text else []


def _gold(
    qrels: Sequence[Row], edges: Mapping[str, Sequence[int]], lengths: Mapping[str, int]
) -> dict[str, tuple[Span, ...]]:
    found: dict[str, dict[Span, None]] = {}
    for row in qrels:
        if row.get("grade") == SENTENCE_GRADE:
            continue
        document = row["doc_id"]
        if document not in lengths:
            raise UnusableSet(f"The question {row['query_id']} names the document {document}, which is not there.")
        start, end = (at - bisect_left(edges[document], at) for at in (row["start"], row["end"]))
        if not 0 <= start < end <= lengths[document]:
            raise UnusableSet(f"A gold span of the question {row['query_id']} lies outside its document.")
        found.setdefault(row["query_id"], {})[Span(document, start, end)] = None
    return {question: tuple(spans) for question, spans in found.items()}


def _question(row: Row, gold: tuple[Span, ...]) -> Question:
    turns = (
        Turn(role="user" if t["role"] == "user" else "assistant", text=t["text"]) for t in row.get("history") or ()
    )
    return Question(
        id=row["query_id"], text=row["text"], gold=gold, answerable=bool(row.get("answerable", True)),
        history=tuple(turns), row=row,
    )  # fmt: skip
