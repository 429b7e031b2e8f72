"""Look at all rows of a draft together: copies, leaks, personal data, lengths, and what is held out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from chatapp.finetuning.datasets import near
from chatapp.finetuning.datasets.freshness import counted_by, limits_of, newest_kept_out
from chatapp.finetuning.datasets.lengths import Count, Limits, counter, tokens_of, too_long
from chatapp.finetuning.datasets.models import DatasetVersion, KeptOutQuestion, RowSource, TrainingRow
from chatapp.finetuning.datasets.personal import hints
from chatapp.finetuning.datasets.questions import key_of
from chatapp.finetuning.datasets.shapes import question_of
from chatapp.finetuning.datasets.splitting import grouped, split_of
from chatapp.finetuning.datasets.storing import hold_draft, overwrite
from knowledge.stores.common import batches

__all__ = ["BLOCKING", "FLAGS", "blocks", "folder_of", "own_flags", "refresh"]

FLAGS = {
    "unverified": "Not held by its sources",
    "too_long": "Too long",
    "leak": "Leaks what models are measured on",
    "duplicate": "Says the same as another row",
    "near_duplicate": "Nearly the same as another row",
    "personal": "May hold personal data",
}
"""What may be found on a row, and what it is called. Only the first three keep a row from approval."""

BLOCKING = frozenset({"unverified", "too_long", "leak"})

LEAK = 0.6
"""Overlap of two questions from which one gives the other away: lower than of copies, for it blocks in doubt."""

FIELDS = ("flags", "tokens", "group", "split")
"""What a check says of a row."""

RETURNED, ROWS = "returned", "rows"
KEPT_TOGETHER = 500
"""Rows of which one transaction keeps what was found."""


@dataclass(slots=True)
class _Read:
    """A row while it is looked at; ``oracles`` are ``(document, start, end)``."""

    row: TrainingRow
    question: str
    oracles: list[tuple[UUID, int, int]] = field(default_factory=list)
    flags: dict[str, list[str]] = field(default_factory=dict)
    before: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = self.as_stored()

    def as_stored(self) -> list[Any]:
        """Return what ``refresh`` says of the row: of thousands, few change."""
        return [getattr(self.row, name) for name in FIELDS]

    @property
    def text(self) -> str:
        return f"{self.question}\n{self.row.completion}"


def blocks(flags: Mapping[str, Any]) -> list[str]:
    """Return the sentences that keep a row from approval."""
    return [words for name, found in flags.items() if name in BLOCKING for words in found]


def folder_of(chosen: Mapping[str, Any]) -> Path | None:
    """Return the folder of the base model whose tokenizer counts; None where our estimate does."""
    path = str(chosen.get("path") or "")
    models = Path(settings.MODELS_DIR).resolve()
    folder = (models / path).resolve()
    return folder if path and folder.is_relative_to(models) and folder != models else None


def own_flags(
    row: TrainingRow, chosen: Mapping[str, Any], *, count: Count | None = None
) -> tuple[int, dict[str, list[str]]]:
    """Return the tokens of a row, and what is to be said of its length and of personal data in it."""
    whole, answer = tokens_of(row.prompt, row.completion, count or counter(folder_of(chosen)))
    found = {}
    if words := too_long(whole, answer, Limits.of(chosen)):
        found["too_long"] = [words]
    if seen := hints("\n".join([*(message["content"] for message in row.prompt[1:]), row.completion])):
        found["personal"] = [f"{hint.kind}: {hint.words}" for hint in seen]
    return whole, found


def refresh(version: DatasetVersion, *, hold: Callable[[], None] | None = None) -> dict[str, Any]:
    """Check every row of a draft anew, share them out between training and held out, and keep what was found.

    Tokens are counted by the version's limits: of new rows, and of all where other limits counted before. An approved
    row that may not be approved any more goes back to the proposed ones. ``hold`` is called in the transaction that
    keeps what was found, and raises where that is no longer wanted.

    :raises VersionFrozen: it is no draft.
    """
    version.refresh_from_db(fields=["checks"])  # the limits may be new
    limits, known = limits_of(version), newest_kept_out(version.dataset.tenant_id)
    anew = counted_by(version) != limits
    read, count = _read(version), counter(folder_of(limits))
    for each in read:
        if anew or not each.row.tokens:
            each.row.tokens, found = own_flags(each.row, limits, count=count)
        else:
            found = {name: each.row.flags[name] for name in ("too_long", "personal") if name in each.row.flags}
        kept = {"unverified": each.row.flags["unverified"]} if "unverified" in each.row.flags else {}
        each.flags = {**kept, **found}
    live = [each for each in read if each.row.state != TrainingRow.State.REJECTED]
    _share_out(read, seed=version.seed)
    _copies(live)
    _leaks(live, version)
    return _kept(version, read, {"counted": limits, "kept_out": known}, hold)


def _read(version: DatasetVersion) -> list[_Read]:
    rows = [_Read(row, question_of(row.prompt)) for row in version.rows.order_by("created", "pk")]
    by_pk = {each.row.pk: each for each in rows}
    spans = RowSource.objects.filter(row__version=version, role=RowSource.Role.ORACLE, document_ref__isnull=False)
    for row, document, start, end in spans.values_list("row_id", "document_ref", "start", "end"):
        if row in by_pk and document is not None:
            by_pk[row].oracles.append((document, start or 0, end or 0))
    return rows


def _share_out(rows: Sequence[_Read], *, seed: int) -> None:
    """Set group and split: rows of one document stay together, and so do rows that ask nearly the same. What is held
    out is then asked, or answered from the same words, by no row that is trained on."""
    documents = [
        {str(document) for document, _, _ in each.oracles} | {f"question {key_of(each.question)}"} for each in rows
    ]
    for first, second, _ in near.alike_within([each.question for each in rows]):
        documents[second] |= documents[first]
    groups = grouped(documents)
    splits = split_of(groups, seed=seed)
    for each, group in zip(rows, groups, strict=True):
        each.row.group, each.row.split = group[:80], splits[group]


def _copies(rows: Sequence[_Read]) -> None:
    for first, second, share in near.alike_within([each.text for each in rows]):
        one, other = rows[first], rows[second]
        same = near.words_of(one.text) == near.words_of(other.text)
        words = "Says the same as" if same else f"{share:.0%} the same as"
        name = "duplicate" if same else "near_duplicate"
        other.flags.setdefault(name, []).append(f"{words} the row “{_short(one.question)}”.")


def _leaks(rows: Sequence[_Read], version: DatasetVersion) -> None:
    """Flag rows that ask what models are measured on, or rest on the words that answer it: questions that the
    organisation keeps out. What a version holds out itself is kept apart by its groups (``_share_out``)."""
    kept = list(KeptOutQuestion.objects.filter(tenant_id=version.dataset.tenant_id).order_by("pk"))
    spans: dict[UUID, list[tuple[int, int, str]]] = defaultdict(list)
    for question in kept:
        if question.document_ref is not None and question.start is not None and question.end is not None:
            spans[question.document_ref].append((question.start, question.end, question.text))
    asked = near.alike_between([each.question for each in rows], [question.text for question in kept], least=LEAK)
    for at, each in enumerate(rows):
        found = []
        if at in asked:
            found.append(f"It asks nearly what an evaluation question asks: “{_short(kept[asked[at][0]].text)}”.")
        hits = (text for doc, start, end in each.oracles for a, b, text in spans[doc] if a < end and start < b)
        if (hit := next(hits, None)) is not None:
            found.append(f"It rests on the words that answer the evaluation question “{_short(hit)}”.")
        if found:
            each.flags["leak"] = found


def _kept(
    version: DatasetVersion, rows: Sequence[_Read], looked: Mapping[str, Any], hold: Callable[[], None] | None
) -> dict[str, Any]:
    """Keep what was found, of some rows in each transaction: nobody else waits long to write. What the rows were looked
    at for is kept last, so that a check that was cut off is not taken for one."""
    counts: Counter[str] = Counter()
    for part in batches(rows, KEPT_TOGETHER):
        with _held(version, hold):
            counts += _kept_of(version, part)
    with _held(version, hold):
        version.refresh_from_db(fields=["checks"])  # a deletion notes there what it removed, and people set limits
        others = {name: version.checks[name] for name in ("removed", "limits") if name in version.checks}
        told = {"returned": counts.pop(RETURNED, 0), "rows": counts.pop(ROWS, 0), "flags": dict(counts)}
        version.checks = kept = {**others, **looked, **told}
        version.save(update_fields=["checks"])
    return kept


@contextmanager
def _held(version: DatasetVersion, hold: Callable[[], None] | None) -> Iterator[None]:
    with transaction.atomic():
        hold_draft(version)
        if hold is not None:
            hold()
        yield


def _kept_of(version: DatasetVersion, rows: Sequence[_Read]) -> Counter[str]:
    """Keep what was found on some rows, unless somebody edited them meanwhile: that was checked by itself. Count the
    flags, the rows, and those that went back to the proposed ones."""
    found = version.rows.filter(pk__in=[each.row.pk for each in rows]).values_list("pk", "key", "state")
    states = {pk: (key, state) for pk, key, state in found}
    counts: Counter[str] = Counter()
    changed, returned = list[TrainingRow](), list[UUID]()
    for each in rows:
        key, state = states.get(each.row.pk, ("", ""))
        if key != each.row.key:
            continue
        each.row.flags = each.flags
        changed += [each.row] if each.as_stored() != each.before else []
        returned += [each.row.pk] if state == TrainingRow.State.APPROVED and blocks(each.flags) else []
        counts.update(each.flags.keys() if state != TrainingRow.State.REJECTED else ())
        counts[ROWS] += 1
    overwrite(changed, FIELDS)
    back = version.rows.filter(pk__in=returned)
    counts[RETURNED] = back.update(state=TrainingRow.State.PROPOSED, reviewed_by=None, reviewed=None)
    return counts


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 70 else words[:69] + "…"
