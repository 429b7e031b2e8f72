"""What was changed on the way from a sentence of a source to the statement that was taken from it.

Words that two texts share say little when one number, one name or one "not" is another. So the statement is laid beside
the sentences that hold nearly all its words, and what stands in the same place is compared: "opened in 1957" where the
source's 1957 is another sentence's, two numbers of one sentence that changed places, another name or another word
between the same words, a "not" that was put in or left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

from chatapp.answering.evidence import analysed
from chatapp.answering.figures import displaced_numbers, numbers, values_of
from chatapp.answering.folding import fold, plain
from chatapp.answering.polarity import denies
from knowledge.analysis import terms
from knowledge.languages import detect, stop_words

__all__ = ["Alike", "changes"]

NEARLY_SAID = 0.75
"""Share of the statement's words, numbers aside, that one sentence of a source holds: from here on it is where the
statement was taken from, and its numbers are the ones that count (measured)."""

LIKE_IT = 0.6
"""The same share, from which a sentence is laid beside the statement."""

COPIED = 0.85
"""Share of the words of the longer of both texts that stand in the same order in the other: from here on a name in
another's place is no other name of the same, and a "not" of one side no matter of wording. All words but one will do
too."""

FEWEST = 3
"""Words; with fewer, a sentence about something else holds them all."""

MOST_BESIDE, LONGEST = 12, 2_000
"""Sentences that a statement is laid beside, and characters of one: a table of thousands of like rows costs no more."""

_TOKEN = re.compile(r"[^\W\d_]+")
_NOT = re.compile(r"\b(ca|wo|[^\W\d_]+)n't\b|\bcannot\b", re.IGNORECASE)
_JOINERS = frozenset("and or to through until und oder bis".split())
"""What stands between the numbers of a list or a range."""


Alike: TypeAlias = Callable[[str, str], bool]
"""Tells whether two words may mean the same."""


def changes(words: str, sources: Sequence[str], *, question: str = "", alike: Alike | None = None) -> list[str]:
    """Return in words what differs from the sentences of the sources that say nearly the same; nothing where one of
    them says just that, or where there are none. Without ``alike`` other words are not looked at."""
    wanted = frozenset(term for term in terms(words) if not any(c.isdigit() for c in term))
    if len(wanted) < FEWEST:
        return []
    near = [
        (share, source[start:end])
        for source in sources
        for (start, end), found in zip(analysed(source).ranges, analysed(source).terms, strict=True)
        if (share := len(wanted & found) / len(wanted)) >= LIKE_IT
    ]
    held = tuple(text for share, text in near if share >= NEARLY_SAID)
    moved = displaced_numbers(words, held, question=question) if held else []
    if moved:
        return [f"number {number} stands elsewhere in the source, not with these words" for number in moved]
    beside = sorted((each for each in near if len(each[1]) <= LONGEST), reverse=True)[:MOST_BESIDE]
    if not beside:
        return []
    told = frozenset().union(*(found for source in sources for found in analysed(source).terms))
    new = wanted - told - frozenset(terms(question))
    return _replaced(words, [text for _, text in beside], question=question, new=new, alike=alike)


def _replaced(words: str, held: Sequence[str], *, question: str, new: frozenset[str], alike: Alike | None) -> list[str]:
    nouns = detect(words) == "de"
    said = _tokens(words, nouns=nouns)
    pairs = [_Pair(_tokens(plain(text), nouns=nouns), said) for text in held]
    best = max(pair.same for pair in pairs)
    found: list[str] = []
    for pair in pairs:
        if pair.same < best:  # another sentence is nearer
            continue
        found = list(dict.fromkeys(pair.changes(known=values_of(question), new=new, alike=alike)))
        if not found:
            return []
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    key: str  # what is compared; the same for all numbers
    written: str
    values: frozenset[float] = frozenset()
    named: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is a word that is no stop word."""
        return not self.values and bool(terms(self.written))


class _Pair:
    """A sentence of a source, and a statement laid beside it."""

    def __init__(self, source: Sequence[_Token], said: Sequence[_Token]) -> None:
        self._source, self._said = source, said
        matcher = SequenceMatcher(None, [t.key for t in source], [t.key for t in said], autojunk=False)
        self._steps = matcher.get_opcodes()
        equal = [(start, end) for tag, start, end, _, _ in self._steps if tag == "equal"]
        self.same = sum(end - start for start, end in equal)
        spanned = equal[-1][1] - equal[0][0] if equal else 0  # of a longer sentence, the part that was taken
        longer = max(spanned, len(said))
        self._copied = self.same >= min(COPIED * longer, longer - 1)

    def changes(self, *, known: frozenset[float], new: frozenset[str], alike: Alike | None) -> Iterator[str]:
        """Yield what differs; numbers ``known`` from the question may stand anywhere, and of the words that are no
        names only those count that are ``new``."""
        for at, (tag, first, last, start, end) in enumerate(self._steps):
            if tag == "equal" and end - start > 1:
                yield from self._numbers(range(first, last), range(start, end), known)
            elif self._copied and (last - first, end - start) in ((1, 1), (1, 0), (0, 1)) and self._within(at):
                if first < last and start < end:
                    # Who changed more than this has words of their own.
                    only = self.same == len(self._said) - 1
                    yield from _other(self._source[first], self._said[start], new, alike if only else None)
                elif denies((self._source[first:last] or self._said[start:end])[0].key):
                    yield "a negation stands on one side only"

    def _within(self, at: int) -> bool:
        """Tell whether what stands on both sides of a step is the same, or the end."""
        return all(step[0] == "equal" for step in self._steps[max(0, at - 1) : at + 2] if step is not self._steps[at])

    def _numbers(self, theirs: range, mine: range, known: frozenset[float]) -> Iterator[str]:
        for there, here in zip(theirs, mine, strict=True):
            one, two = self._source[there], self._said[here]
            if not one.values or one.values & two.values or two.values & known:
                continue
            list_there, list_here = _list(self._source, there), _list(self._said, here)
            if len(list_there) == len(list_here) or not any(two.values & self._source[n].values for n in list_there):
                yield f"number {two.written} where the source has {one.written}"


def _other(one: _Token, two: _Token, new: frozenset[str], alike: Alike | None) -> Iterator[str]:
    """Yield that a source has one word and the statement two in its place, if they differ."""
    if _forms_of_one(one.key, two.key):
        return
    renamed = one.named and two.named
    reworded = one.counts and not new.isdisjoint(terms(two.written))
    if renamed or (alike is not None and reworded and not alike(one.key, two.key)):
        yield f"“{two.written}” where the source has “{one.written}”"


def _list(tokens: Sequence[_Token], at: int) -> range:
    """Return where the numbers stand that are told in one list with the one at ``at``."""
    first = last = at
    while (before := _next(tokens, first, -1)) is not None:
        first = before
    while (after := _next(tokens, last, 1)) is not None:
        last = after
    return range(first, last + 1)


def _next(tokens: Sequence[_Token], at: int, step: int) -> int | None:
    at += step
    if 0 <= at < len(tokens) and tokens[at].key in _JOINERS:
        at += step
    return at if 0 <= at < len(tokens) and tokens[at].values else None


def _forms_of_one(one: str, two: str) -> bool:
    """Tell whether two words may be forms of one, "German" and "Germany", or begin the words of a speaker."""
    return one[:4] == two[:4] or two in one or one in two or {one, two} <= stop_words("en")


def _tokens(text: str, *, nouns: bool) -> list[_Token]:
    """Return the words and numbers of a text in order; ``nouns``: where all of these are capitalised."""
    text = _NOT.sub(_apart, fold(text).text)
    found: list[_Token] = []
    at = 0
    for number in [*numbers(text, spelt=True), None]:
        for match in _TOKEN.finditer(text, at, number.start if number else len(text)):
            word = match.group()
            named = bool(found) and word[0].isupper()
            found.append(_Token(word.casefold(), word, named=named and (not nouns or not word[1:].islower())))
        if number:
            found.append(_Token("#", number.written.strip(), number.values))
            at = number.end
    return found


def _apart(match: re.Match[str]) -> str:
    verb = match.group(1) or "ca"  # of "cannot" it is the same
    return {"ca": "can", "wo": "will"}.get(verb.casefold(), verb) + " not"
