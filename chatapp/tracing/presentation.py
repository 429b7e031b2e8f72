"""Shape the trace of an answer for the page: what was searched, found, given, written and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatapp.answering import mode_of
from chatapp.conversations.retrieval import SETTINGS
from chatapp.conversations.standing import OPENING
from chatapp.conversations.verifying import JUDGES
from chatapp.searching.presentation import SCORES, STAGES, Score, headings, pages, reader_link
from chatapp.tracing.words import (
    ANOMALIES,
    FATES,
    KINDS,
    MARKS,
    MODES,
    REASONS,
    STATES,
    UNSOURCED,
    VERDICTS,
    VerdictWords,
)

__all__ = ["TracePage", "page_of"]

UNFITTING = "Returned by the search, but it did not fit the model's window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A passage as the search ranked it; ``before`` and ``after`` reranking are ranks from 1."""

    title: str
    place: str
    link: str
    before: int | None
    after: int | None
    scores: Sequence[Score]
    fate: str
    label: str = ""  # under which the model was given it
    by: int | None = None  # rank of the passage that holds or repeats it

    @property
    def moved(self) -> str:
        """How reranking moved it, in words; empty where nothing is known."""
        if self.before is None or self.after is None:
            return ""
        by = self.before - self.after
        return f"up {by}" if by > 0 else f"down {-by}" if by else "same place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A passage as the model was given it."""

    label: str
    title: str
    place: str
    link: str
    text: str
    tokens: int | None
    score: float
    cited: bool
    standing: str  # what became of its document; empty where nothing did


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The words a sentence rests on."""

    number: int
    label: str
    title: str
    place: str
    quote: str
    start: int
    end: int
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    text: str
    verdict: str
    words: VerdictWords
    kind: str
    judge: str  # empty: nobody, or not known
    score: float
    left_out: bool
    reasons: Sequence[str]
    evidence: Sequence[Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """A row of the table of times. ``offset`` and ``width`` are per cent of the longest."""

    name: str
    value: float  # milliseconds
    offset: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePage:
    state: str
    state_words: str
    mode: str
    searches: bool  # whether answers of its mode have sources
    schema: str  # what it had to fit; empty: it is text
    settings: Sequence[str]
    turns: Sequence[Mapping[str, str]]
    also: Sequence[str]
    candidates: Sequence[Candidate]
    dropped: Sequence[Candidate]
    unnamed: int  # candidates of which nothing but their number is kept
    related: Sequence[Candidate]
    given: Sequence[Given]
    prompt: Sequence[Mapping[str, str]]
    anomalies: Sequence[tuple[str, int]]
    sentences: Sequence[Sentence]
    counts: Sequence[tuple[VerdictWords, str, int]]  # words, verdict, sentences that are shown
    left_out: int  # sentences
    moments: Sequence[Time]
    stages: Sequence[Time]
    cost: Mapping[str, str]  # empty: not known
    called: bool  # a language model was asked
    extra: Mapping[str, Any] = field(default_factory=dict)


def page_of(detail: Mapping[str, Any]) -> TracePage:
    """Return what the page shows of ``trace_detail``; every part may be missing in old and broken runs."""
    search = detail["search"] or {}
    labels = {passage["key"]: passage["label"] for passage in detail["passages"]}
    found = _candidates(search.get("considered", ()), labels, slides=_slides(detail))
    named = sum(search.get("fates", {}).values())
    sentences = _sentences(detail)
    timings = detail["timings"] or {}
    rewritten = detail["rewritten"] or {}
    searches = mode_of(detail["answer_mode"]).searches
    return TracePage(
        state=detail["status"],
        state_words=STATES.get(detail["status"], detail["status"]),
        mode=MODES.get(detail["citation_mode"], "Not known") if searches else UNSOURCED,
        searches=searches,
        schema=json.dumps(detail["output_schema"], ensure_ascii=False, indent=2) if detail["output_schema"] else "",
        settings=_settings(detail["settings"]),
        turns=detail["turns"],
        also=search.get("also", ()),
        candidates=[one for one in found if one.label],
        dropped=[one for one in found if not one.label],
        unnamed=max(0, search.get("candidates", 0) - len(found)) if named else 0,
        related=_candidates(search.get("related", ()), {}, slides=_slides(detail)),
        given=_given(detail),
        prompt=[message for message in detail["prompt"] or () if isinstance(message, Mapping)],
        anomalies=[(ANOMALIES.get(kind, kind.replace("_", " ")), n) for kind, n in detail["anomalies"].items()],
        sentences=sentences,
        counts=_counts(sentences) if searches else (),
        left_out=sum(one.left_out for one in sentences),
        moments=_moments(timings),
        stages=_stages(timings),
        cost=_cost(detail["usage"].get("cost")),
        called=bool(detail["usage"].get("prompt_tokens") or detail["prompt"])
        and not detail["model"].startswith("extractive/"),
        extra={"wordings": rewritten.get("wordings") or (), "parts": rewritten.get("parts") or ()},
    )


def _cost(cost: Mapping[str, Any] | None) -> dict[str, str]:
    """Return amounts as people write them: small ones need more digits than the two of a currency."""
    return {name: f"{value:.6g}" if isinstance(value, float | int) else value for name, value in (cost or {}).items()}


def _slides(detail: Mapping[str, Any]) -> frozenset[str]:
    """The documents that are presentations, as far as passages of them were given to the model."""
    return frozenset(p["document"] for p in detail["passages"] if p["page_kind"] == "slide")


def _settings(settings: Mapping[str, Any]) -> list[str]:
    """Say which settings of the search were not the product's own."""
    said = []
    for name, value in settings.items():
        setting = SETTINGS.get(name)
        shown = "its own" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)
        if setting is not None and setting.switch:
            shown = "on" if value else "off"
        said.append(f"{setting.label if setting else name}: {shown}")
    return said


def _place(row: Mapping[str, Any], *, slide: bool) -> str:
    parts = [
        pages(row.get("page"), None, slide),
        row.get("heading") or headings(row.get("heading_path", ()), row["title"]),
    ]
    return " · ".join(part for part in parts if part)


def _candidates(
    rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str], *, slides: frozenset[str]
) -> list[Candidate]:
    ranks = {row["key"]: row.get("ranks", {}).get("final") for row in rows if "key" in row}
    return [_candidate(row, labels, ranks, slide=row.get("document") in slides) for row in rows]


def _candidate(
    row: Mapping[str, Any], labels: Mapping[str, str], finals: Mapping[str, int | None], *, slide: bool
) -> Candidate:
    ranks, scores = row.get("ranks", {}), row.get("scores", {})
    label = labels.get(row.get("key", ""), "")
    fate = row.get("fate", "")
    words = UNFITTING if fate == "returned" and not label else FATES.get(fate, fate.replace("_", " "))
    known = "document" in row
    return Candidate(
        title=row["title"] if known else "A passage that was no longer there",
        place=_place(row, slide=slide) if known else "",
        link=_link(row) if known else "",
        before=ranks.get("fused"), after=ranks.get("final"), fate=words, label=label, by=finals.get(row.get("by", "")),
        scores=[
            Score(label=words, value=scores[name], rank=ranks.get("final" if name == "rerank" else name))
            for name, words in SCORES.items() if name in scores
        ],
    )  # fmt: skip


def _given(detail: Mapping[str, Any]) -> list[Given]:
    return [
        Given(
            label=row["label"], title=row["title"], place=_place(row, slide=row["page_kind"] == "slide"),
            link=_link(row), text=row["text"], tokens=row["tokens"], score=row["score"], cited=row["used"],
            standing=row["standing"]["words"],
        )
        for row in sorted(detail["passages"], key=lambda row: (len(row["label"]), row["label"]))
    ]  # fmt: skip


def _link(row: Mapping[str, Any], opened_from: str = "") -> str:
    """Return the address of the reader at exact words; empty where the document is gone or closed."""
    # Candidates of the search have a state of their own; passages are told by where their source stands.
    state = row["standing"]["state"] if "standing" in row else row["state"]
    if state not in ("open", *OPENING):
        return ""
    return reader_link(row["document"], row["version"], row["start"], row["end"]).replace("?", f"?{opened_from}", 1)


def _sentences(detail: Mapping[str, Any]) -> list[Sentence]:
    labels = {passage["key"]: passage["label"] for passage in detail["passages"]}
    cited: dict[int, list[Evidence]] = {}
    for row in detail["citations"]:
        cited.setdefault(row["sentence"], []).append(
            Evidence(
                number=row["number"], label=labels.get(row["passage"], ""), title=row["title"],
                place=_place(row, slide=row["page_kind"] == "slide"), quote=row["quote"], start=row["start"],
                end=row["end"], link=_link(row, f"run={detail['id']}&citation={row['number']}&"),
            )
        )  # fmt: skip
    return [
        Sentence(
            text=detail["answer"][row["start"] : row["end"]].strip(), verdict=row.get("verdict", "unchecked"),
            words=_words(row), kind=KINDS.get(row.get("kind", ""), ""),
            judge=JUDGES.get(row.get("judged_by", ""), ""), score=row.get("score", 0.0),
            left_out=row.get("left_out", False),
            reasons=[REASONS.get(reason, reason) for reason in row.get("reasons", ())],
            evidence=cited.get(row.get("index", -1), ()),
        )
        for row in detail["sentences"]
        if row.get("kind") != "markup" and {"start", "end"} <= row.keys()
    ]  # fmt: skip


def _words(row: Mapping[str, Any]) -> VerdictWords:
    """Say a verdict; where nothing was searched there is no source that it could speak of."""
    words = VERDICTS.get(row.get("verdict", ""), VERDICTS["unchecked"])
    return words._replace(text="Not checked") if "no_sources" in row.get("reasons", ()) else words


def _counts(sentences: Sequence[Sentence]) -> list[tuple[VerdictWords, str, int]]:
    shown = [one.verdict for one in sentences if not one.left_out]
    found = [(words, name, shown.count(name)) for name, words in VERDICTS.items()]
    return [row for row in found if row[2]]


def _moments(timings: Mapping[str, float]) -> list[Time]:
    """Return the stretches between the moments of the run, one after the other."""
    longest, rows, before = max(timings.values(), default=0.0), [], 0.0
    for name, words in MARKS.items():
        if name in timings:
            at = max(timings[name], before)
            rows.append(_time(words, timings[name], before, at - before, longest))
            before = at
    return rows


def _stages(timings: Mapping[str, float]) -> list[Time]:
    """Return how long each stage of the search took."""
    stages = {
        name.removeprefix("retrieval."): value for name, value in timings.items() if name.startswith("retrieval.")
    }
    longest = max(stages.values(), default=0.0)
    return [_time(STAGES.get(name, name), value, 0.0, value, longest) for name, value in stages.items()]


def _time(name: str, value: float, start: float, length: float, longest: float) -> Time:
    share = 100 / longest if longest > 0 else 0.0
    return Time(name=name, value=value, offset=round(start * share, 1), width=round(max(length * share, 0.6), 1))
