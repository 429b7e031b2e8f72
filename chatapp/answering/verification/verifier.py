"""Judge statements against the texts they are said to rest on.

First what is certain: exact words, quotations, numbers (``check``). What that leaves open is read from signals by a
fitted model (``support``), in two tiers: with the token vectors of the loaded embedding model, or by words alone where
there are none. Names and negations that only one side has keep a statement from counting as held.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock

from chatapp.answering.check import JudgedBy, Verdict, VerdictName, check_sentence
from chatapp.answering.evidence import Evidence, locate, whole_sentences
from chatapp.answering.folding import plain
from chatapp.answering.names import missing_names
from chatapp.answering.polarity import negations
from chatapp.answering.verification.displaced import displaced
from chatapp.answering.verification.entailment import Entailment
from chatapp.answering.verification.signals import Place, by_vectors, by_words
from chatapp.answering.verification.support import Record, read_record
from chatapp.answering.verification.vectors import SourceVectors, source_vectors, statement_vectors
from knowledge.embedding.base import Embedder, TokenEmbedder, has_tokens
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

SURE_NOT, SURE = 0.15, 0.65
"""Chances by words alone beyond which vectors change 3 verdicts of 1,000 and cost most of the time (measured)."""

KEPT_SOURCES = 512
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


class Verifier:
    """Safe to use from several threads. Vectors of sources are remembered: an answer cites the same ones again."""

    def __init__(
        self, embedder: Embedder | None = None, *, record: Record | None = None, entailment: Entailment | None = None
    ) -> None:
        """``entailment`` has the last word on what is left open."""
        self.record = record or default_record()
        self._entailment = entailment
        self._embedder: TokenEmbedder | None = embedder if embedder is not None and has_tokens(embedder) else None
        self._sources: dict[bytes, SourceVectors] = {}
        self._lock = Lock()

    def judge(self, claims: Sequence[Claim]) -> list[Judgement]:
        """Return what can be said of each claim. A model that fails leaves the words to tell."""
        claims = [replace(claim, statement=_NOTE_MARK.sub("", claim.statement)) for claim in claims]
        certain = [
            check_sentence(sentence=claim.statement, sources=claim.sources, question=claim.question) for claim in claims
        ]
        undecided = [at for at, verdict in enumerate(certain) if verdict.verdict == "unchecked" and claims[at].sources]
        read = dict(zip(undecided, self._quick([claims[at] for at in undecided]), strict=True))
        judged = [
            self._read(claim, *read[at]) if at in read else self._certain(claim, verdict)
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

    def _read(self, claim: Claim, signals: Mapping[str, float], nearest: Place | None) -> Judgement:
        tier: JudgedBy = "words" if nearest is None else "vectors"
        chance = self.record.tiers[tier].chance(signals)
        words = plain(claim.statement)
        places = [locate(claim.statement, source, question=claim.question) for source in claim.sources]
        evidence = _evidence(places, nearest=nearest)
        against = _against(words, claim, evidence, window=signals["window"])
        if against:
            chance = min(chance, self.record.unsupported / 2)
        verdict = _verdict(chance, supported=self.record.supported, unsupported=self.record.unsupported)
        reasons = against or (SAID_OF[verdict],)
        return Judgement(
            verdict=verdict, score=chance, reasons=reasons, evidence=evidence, judged_by="check" if against else tier
        )

    def _quick(self, claims: Sequence[Claim]) -> list[tuple[Mapping[str, float], Place | None]]:
        """Return the signals of each claim as far as they are needed: where words tell enough, no vectors are made."""
        words = [_words_of(claim) for claim in claims]
        chances = [self.record.tiers["words"].chance(each) for each in words]
        unsure = [at for at, chance in enumerate(chances) if SURE_NOT < chance < SURE]
        more = self._with_vectors([claims[at] for at in unsure], [words[at] for at in unsure])
        read: dict[int, tuple[Mapping[str, float], Place | None]] = dict(zip(unsure, more, strict=True))
        return [read.get(at, (each, None)) for at, each in enumerate(words)]

    def signals(self, claims: Sequence[Claim]) -> list[tuple[Mapping[str, float], Place | None]]:
        """Return the signals of each claim, and the place nearest in meaning; None where only words could be read."""
        return self._with_vectors(claims, [_words_of(claim) for claim in claims])

    def _with_vectors(
        self, claims: Sequence[Claim], found: Sequence[Mapping[str, float]]
    ) -> list[tuple[Mapping[str, float], Place | None]]:
        texts = [plain(claim.statement) for claim in claims]
        if self._embedder is None or not claims:
            return [(signals, None) for signals in found]
        try:
            sources = self._source_vectors([source for claim in claims for source in claim.sources])
            statements = statement_vectors(texts, embedder=self._embedder)
        except KnowledgeError:
            logger.warning("statements are checked by their words alone", exc_info=True)
            return [(signals, None) for signals in found]
        rows: list[tuple[Mapping[str, float], Place | None]] = []
        for claim, signals, vectors in zip(claims, found, statements, strict=True):
            more, place = by_vectors(vectors, [sources[_key(source)] for source in claim.sources])
            rows.append(({**signals, **more}, place))
        return rows

    def _source_vectors(self, texts: Sequence[str]) -> dict[bytes, SourceVectors]:
        assert self._embedder is not None
        wanted = {_key(text): text for text in texts}
        with self._lock:
            known = {key: self._sources[key] for key in wanted if key in self._sources}
        missing = {key: text for key, text in wanted.items() if key not in known}
        made = dict(zip(missing, source_vectors(list(missing.values()), embedder=self._embedder), strict=True))
        with self._lock:
            for key, vectors in {**known, **made}.items():  # those used last go last
                self._sources.pop(key, None)
                self._sources[key] = vectors
            while len(self._sources) > KEPT_SOURCES:
                del self._sources[next(iter(self._sources))]
        return {**known, **made}


def with_thresholds(judged: Sequence[Judgement], thresholds: tuple[float, float]) -> list[Judgement]:
    """Return the judgements with other thresholds, ``(supported, unsupported)``, where the fitted chance decided."""
    supported, unsupported = thresholds
    found = []
    for each in judged:
        verdict = _verdict(each.score, supported=supported, unsupported=unsupported)
        by_chance = each.judged_by in BY_CHANCE
        found.append(replace(each, verdict=verdict, reasons=(SAID_OF[verdict],)) if by_chance else each)
    return found


def _words_of(claim: Claim) -> Mapping[str, float]:
    return by_words(plain(claim.statement), claim.sources, question=claim.question)


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


def _against(words: str, claim: Claim, evidence: SourceEvidence | None, *, window: float) -> tuple[str, ...]:
    """Return what keeps a statement from counting as held though its other words may be there."""
    found = []
    if window >= NEARLY_SAID:
        names = missing_names(
            words, claim.sources, question=claim.question, openings=window >= OPENINGS_COUNT
        )  # fmt: skip
        found = [f"name {name} not in the source" for name in names]
    moved = displaced(words, claim.sources, question=claim.question)
    found += [f"number {number} stands elsewhere in the source, not with these words" for number in moved]
    if evidence is not None and window >= SAID:
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


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


@lru_cache(maxsize=1)
def default_record() -> Record:
    """Return the record the product comes with."""
    return read_record(Path(__file__).with_name("record.json"))
