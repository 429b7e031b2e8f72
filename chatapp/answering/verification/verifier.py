"""Judge statements against the texts they are said to rest on.

First what is certain: exact words, quotations, numbers (``check``). What that leaves open is read from signals by a
fitted model (``support``), in two tiers: with the vectors of word pieces, or by words alone where there are none. What
was changed on the way from a source (``changes``), and names that it does not have, keep a statement from counting as
held.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from chatapp.answering.check import JudgedBy, Verdict, VerdictName, check_sentence
from chatapp.answering.evidence import Evidence, locate, whole_sentences
from chatapp.answering.folding import plain
from chatapp.answering.names import missing_names
from chatapp.answering.polarity import negations
from chatapp.answering.verification.changes import Alike, changes
from chatapp.answering.verification.entailment import Entailment
from chatapp.answering.verification.reading import Reader
from chatapp.answering.verification.signals import Place, by_words
from chatapp.answering.verification.support import Record, read_record
from knowledge.embedding.table import PieceTable
from knowledge.errors import KnowledgeError

__all__ = [
    "BY_CHANCE",
    "BY_MODEL",
    "Claim",
    "Judgement",
    "SourceEvidence",
    "Verifier",
    "default_record",
    "with_thresholds",
]

logger = logging.getLogger(__name__)

SHARED_WORDS = 0.35
"""Share of a statement's words in the best sentences; with fewer, those nearest in meaning are the evidence."""

NEARLY_SAID, OPENINGS_COUNT, SAID = 0.6, 0.75, 0.9
"""Share of a statement's words that one to three sentences of a source hold: then another name is a change; with nearly
all of them, so is a negation on one side. With fewer, both are as often a matter of wording (measured)."""

_NOTE_MARK = re.compile(r"[ \t]*\[\d{1,3}\]")
"""A reference mark of who wrote the statement elsewhere: its number is none that a source must have."""

HELD = "the source says this in other words"
PARTLY = "some of what it says is not there"
NOT_FOUND = "hardly anything of what it says is there"
SAID_OF: Mapping[VerdictName, str] = {"supported": HELD, "weak": PARTLY, "unsupported": NOT_FOUND}

BY_CHANCE: frozenset[JudgedBy] = frozenset({"words", "vectors"})
"""Where the fitted chance told: these verdicts follow the thresholds."""

BY_MODEL: frozenset[JudgedBy] = frozenset({"encoder", "judge"})
"""Where a model read source and statement together: of these verdicts the thresholds say nothing."""

ENTAILED, REFUTED = 0.5, 0.2
"""Chance of an entailment model from which a statement counts as held, and below which as not held. Where such models
say yes themselves; they are not fitted here, where none can be had."""

AROUND = 2
"""Sentences on both sides of the evidence that an entailment model reads with it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    statement: str  # may be of canonical answer text, with sentinels and Markdown
    sources: tuple[str, ...]
    question: str = ""


@dataclass(frozen=True, slots=True)
class SourceEvidence:
    """The range of one of the claim's sources that it is nearest to, in code points, end exclusive."""

    source: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    verdict: VerdictName
    score: float  # chance, 0..1, that the sources hold the statement
    reasons: tuple[str, ...]
    evidence: SourceEvidence | None
    judged_by: JudgedBy = ""

    @property
    def open(self) -> bool:
        """Whether only a chance told: exact words, numbers, names and negations left it open."""
        return self.judged_by in BY_CHANCE or self.judged_by == "encoder"


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a tier read of a claim; ``nearest`` is the place nearest in meaning, as far as vectors told."""

    tier: JudgedBy
    signals: Mapping[str, float]
    nearest: Place | None = None


class Verifier:
    """Safe to use from several threads."""

    def __init__(
        self, table: PieceTable | None = None, *, record: Record | None = None, entailment: Entailment | None = None
    ) -> None:
        """``entailment`` has the last word on what is left open."""
        self.record = record or default_record()
        self._entailment = entailment
        self._reader = Reader(table) if table is not None else None

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """Return what can be said of each claim. A table that cannot be read leaves the words to tell."""
        claims = [replace(claim, statement=_NOTE_MARK.sub("", claim.statement)) for claim in claims]
        certain = [
            check_sentence(sentence=claim.statement, sources=claim.sources, question=claim.question) for claim in claims
        ]
        undecided = [at for at, verdict in enumerate(certain) if verdict.verdict == "unchecked" and claims[at].sources]
        read = dict(zip(undecided, self._readings([claims[at] for at in undecided]), strict=True))
        judged = [
            self._read(claim, read[at]) if at in read else self._certain(claim, verdict)
            for at, (claim, verdict) in enumerate(zip(claims, certain, strict=True))
        ]
        return judged if self._entailment is None else self._entailed(claims, judged, self._entailment)

    def _entailed(self, claims: Sequence[Claim], judged: Sequence[Judgement], model: Entailment) -> list[Judgement]:
        """Return the judgements, those that are open by the entailment model: the evidence and what stands around it,
        then, where that does not hold the statement, each source whole."""
        found = list(judged)
        rest = [at for at, judgement in enumerate(judged) if judgement.open]
        best = dict.fromkeys(rest, 0.0)
        try:
            for premises in (_surroundings, lambda claim, _: claim.sources):
                pairs = [(at, text) for at in rest for text in premises(claims[at], judged[at].evidence)]
                chances = model.chances([(text, plain(claims[at].statement)) for at, text in pairs])
                for (at, _), chance in zip(pairs, chances, strict=True):
                    best[at] = max(best[at], chance)
                rest = [at for at in rest if best[at] < ENTAILED]
        except KnowledgeError as err:
            logger.warning("statements are judged without the entailment model: %s", err.message)
            return found
        for at, chance in best.items():
            verdict = _verdict(chance, supported=ENTAILED, unsupported=REFUTED)
            reasons = (SAID_OF[verdict],)
            found[at] = replace(judged[at], verdict=verdict, score=chance, reasons=reasons, judged_by="encoder")
        return found

    def _certain(self, claim: Claim, verdict: Verdict) -> Judgement:
        places = [locate(claim.statement, source, question=claim.question) for source in claim.sources]
        score = 1.0 if verdict.verdict == "supported" else 0.0
        return Judgement(
            verdict=verdict.verdict, score=score, reasons=verdict.reasons, judged_by="check",
            evidence=_evidence(places, nearest=None),
        )  # fmt: skip

    def _read(self, claim: Claim, reading: _Reading) -> Judgement:
        chance = self.record.tiers[reading.tier].chance(reading.signals)
        words = plain(claim.statement)
        places = [locate(claim.statement, source, question=claim.question) for source in claim.sources]
        evidence = _evidence(places, nearest=reading.nearest)
        # Only where vectors could be read before: then the table is there.
        alike = self._reader.alike if self._reader is not None and reading.nearest is not None else None
        against = _against(words, claim, evidence, window=reading.signals["window"], alike=alike)
        if against:
            chance = min(chance, self.record.unsupported / 2)
        verdict = _verdict(chance, supported=self.record.supported, unsupported=self.record.unsupported)
        reasons = against or (SAID_OF[verdict],)
        return Judgement(
            verdict=verdict,
            score=chance,
            reasons=reasons,
            evidence=evidence,
            judged_by="check" if against else reading.tier,
        )

    def signals(self, claims: Sequence[Claim]) -> list[Mapping[str, float]]:
        """Return the signals of each claim, of every tier that can be read."""
        return [reading.signals for reading in self._readings(claims)]

    def _readings(self, claims: Sequence[Claim]) -> list[_Reading]:
        found = [_words_of(claim) for claim in claims]
        if self._reader is None or not claims:
            return found
        try:
            read = self._reader.read([(plain(claim.statement), claim.sources) for claim in claims])
        except KnowledgeError:
            logger.warning("statements are checked by their words alone", exc_info=True)
            return found
        return [
            _Reading("vectors", {**reading.signals, **signals}, place) if place else reading
            for reading, (signals, place) in zip(found, read, strict=True)
        ]


def with_thresholds(judged: Sequence[Judgement], thresholds: tuple[float, float]) -> list[Judgement]:
    """Return the judgements with other thresholds, ``(supported, unsupported)``, where the fitted chance decided."""
    supported, unsupported = thresholds
    found = []
    for each in judged:
        verdict = _verdict(each.score, supported=supported, unsupported=unsupported)
        by_chance = each.judged_by in BY_CHANCE
        found.append(replace(each, verdict=verdict, reasons=(SAID_OF[verdict],)) if by_chance else each)
    return found


def _words_of(claim: Claim) -> _Reading:
    return _Reading("words", by_words(plain(claim.statement), claim.sources, question=claim.question))


def _verdict(chance: float, *, supported: float, unsupported: float) -> VerdictName:
    if chance >= supported:
        return "supported"
    return "weak" if chance >= unsupported else "unsupported"


def _surroundings(claim: Claim, evidence: SourceEvidence | None) -> Sequence[str]:
    """Return the evidence with the sentences around it; nothing where there is none."""
    if evidence is None:
        return ()
    source = claim.sources[evidence.source]
    words = source[slice(*whole_sentences(source, evidence.start, evidence.end, around=AROUND))]
    return (words,) if words.strip() else ()


def _against(
    words: str, claim: Claim, evidence: SourceEvidence | None, *, window: float, alike: Alike | None
) -> tuple[str, ...]:
    """Return what keeps a statement from counting as held though its other words may be there."""
    found = []
    if window >= NEARLY_SAID:
        names = missing_names(
            words, claim.sources, question=claim.question, openings=window >= OPENINGS_COUNT
        )  # fmt: skip
        found = [f"name {name} not in the source" for name in names]
    found += changes(words, claim.sources, question=claim.question, alike=alike)
    if evidence is not None and window >= SAID and not found:
        source = claim.sources[evidence.source]
        held = source[slice(*whole_sentences(source, evidence.start, evidence.end))]
        if negations(words) % 2 != negations(held) % 2:
            found.append("a negation stands on one side only")
    return tuple(found)


def _evidence(places: Sequence[Evidence], *, nearest: Place | None) -> SourceEvidence | None:
    if not places:
        return None
    number = max(range(len(places)), key=lambda at: (places[at].verbatim, places[at].score))
    best = places[number]
    if nearest is not None and not best.verbatim and best.score < SHARED_WORDS:
        return SourceEvidence(nearest.source, nearest.start, nearest.end)
    return SourceEvidence(number, best.start, best.end)


@lru_cache(maxsize=1)
def default_record() -> Record:
    """Return the record the product comes with."""
    return read_record(Path(__file__).with_name("record.json"))
