"""Keeps document frequencies exact: what a version adds when it goes live is what it takes when it leaves."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TypeAlias

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from knowledge.documents import files
from knowledge.documents.models import DocumentVersion, IndexGeneration, TermStatistic
from knowledge.ingestion.stages import TermCounts
from knowledge.languages import ENGLISH

logger = logging.getLogger(__name__)


def _name(generation: IndexGeneration) -> str:
    return f"terms-{generation.pk}.json.gz"


def remember(version: DocumentVersion, generation: IndexGeneration, counts: TermCounts) -> None:
    """Store the counts beside the version, so that exactly they can be taken back."""
    files.write_json(
        version,
        _name(generation),
        {"chunks": counts.chunks, "terms": counts.terms, "frequency": counts.document_frequency},
    )


def recall(version: DocumentVersion, generation: IndexGeneration) -> TermCounts | None:
    """Return the stored counts, or None when there are none or they cannot be read: deletion must not fail on them."""
    if not files.exists(version, _name(generation)):
        return None
    try:
        data = files.read_json(version, _name(generation))
        return TermCounts(chunks=data["chunks"], terms=data["terms"], document_frequency=data["frequency"])
    except (OSError, EOFError, ValueError, KeyError):
        logger.exception("Term counts of version %s cannot be read: `manage.py rebuild` counts anew", version.pk)
        return None


def forget(version: DocumentVersion, generation: IndexGeneration) -> None:
    """Drop the stored counts of a version whose generation's statistics start from nothing."""
    files.remove(version, _name(generation))


def words_only_of(version: DocumentVersion, generation: IndexGeneration) -> set[str]:
    """Return the terms that the generation has of this version alone."""
    counts = recall(version, generation)
    own = counts.document_frequency if counts is not None else {}
    return {term for term, count in _frequencies(generation, own) if count <= own[term]}


def known(generation: IndexGeneration, terms: Collection[str]) -> int:
    """Return how many of the terms the generation has."""
    return sum(1 for _ in _frequencies(generation, terms))


def _frequencies(generation: IndexGeneration, terms: Collection[str]) -> Iterator[tuple[str, int]]:
    ordered = sorted(terms)
    for at in range(0, len(ordered), 5_000):  # a statement takes so many parameters and no more
        rows = TermStatistic.objects.filter(generation=generation, term__in=ordered[at : at + 5_000])
        yield from rows.values_list("term", "frequency")


def add(generation: IndexGeneration, counts: TermCounts, *, language: str) -> None:
    """Add a version's counts and language. Call inside the transaction that makes the version live."""
    _apply(generation, counts, sign=1)
    row = IndexGeneration.objects.filter(pk=generation.pk)  # the update above holds it, so no other writer is between
    spoken = set(row.values_list("languages", flat=True).get())
    if (language or ENGLISH) not in spoken:
        row.update(languages=sorted({*spoken, language or ENGLISH}))


def remove(generation: IndexGeneration, counts: TermCounts) -> None:
    """Take a version's counts back. Call inside the transaction that retires the version."""
    _apply(generation, counts, sign=-1)
    TermStatistic.objects.filter(generation=generation, frequency__lte=0).delete()


def _apply(generation: IndexGeneration, counts: TermCounts, *, sign: int) -> None:
    # Never below nothing: totals that are wrong are for ``differ`` to mend, and must not keep a document from leaving.
    IndexGeneration.objects.filter(pk=generation.pk).update(
        chunks=Greatest(F("chunks") + sign * counts.chunks, 0), terms=Greatest(F("terms") + sign * counts.terms, 0)
    )
    # Sorted, so that two writers lock rows in one order (PostgreSQL); one statement per 300 terms.
    rows = sorted(counts.document_frequency.items())
    table = connection.ops.quote_name(TermStatistic._meta.db_table)
    key = TermStatistic._meta.get_field("generation").get_db_prep_value(generation.pk, connection)
    with connection.cursor() as cursor:
        for at in range(0, len(rows), 300):
            part = rows[at : at + 300]
            values = ",".join(["(%s, %s, %s)"] * len(part))
            cursor.execute(
                f"INSERT INTO {table} (generation_id, term, frequency) VALUES {values} "  # noqa: S608  names only
                f"ON CONFLICT (generation_id, term) DO UPDATE SET frequency = {table}.frequency + excluded.frequency",
                [value for term, count in part for value in (key, term, sign * count)],
            )


def differ(generation: IndexGeneration, *, repair: bool = False) -> bool:
    """Tell whether the statistics are no sum of the versions that the generation holds; ``repair`` makes them so.

    Versions whose counts are missing add nothing: they have to be written again before.
    """
    if _kept(generation) == _summed(generation):
        return False
    with transaction.atomic():  # it may have changed while it was read
        locked = IndexGeneration.objects.select_for_update(of=("self",)).get(pk=generation.pk)
        right = _summed(locked)
        if _kept(locked) == right:
            return False
        if repair:
            _put(locked, right)
    return True


def tell_languages(generation: IndexGeneration) -> None:
    """Note the languages of the versions that the generation holds, and no others."""
    with transaction.atomic():
        row = IndexGeneration.objects.select_for_update(of=("self",)).get(pk=generation.pk)
        spoken = row.entries.values_list("version__language", flat=True).distinct()
        row.languages = sorted({language or ENGLISH for language in spoken})
        row.save(update_fields=["languages"])


Totals: TypeAlias = tuple[int, int, dict[str, int]]
"""Chunks, terms, and in how many chunks each term occurs."""


def _kept(generation: IndexGeneration) -> Totals:
    row = IndexGeneration.objects.get(pk=generation.pk)
    terms = TermStatistic.objects.filter(generation=generation).values_list("term", "frequency")
    return row.chunks, row.terms, dict(terms)


def _summed(generation: IndexGeneration) -> Totals:
    chunks = terms = 0
    frequency: Counter[str] = Counter()
    for entry in generation.entries.select_related("version__document").iterator(chunk_size=500):
        counts = recall(entry.version, generation)
        if counts is not None:
            chunks, terms = chunks + counts.chunks, terms + counts.terms
            frequency.update(counts.document_frequency)
    return chunks, terms, dict(frequency)


def _put(generation: IndexGeneration, right: Totals) -> None:
    IndexGeneration.objects.filter(pk=generation.pk).update(chunks=right[0], terms=right[1])
    tell_languages(generation)
    TermStatistic.objects.filter(generation=generation).delete()
    rows = (TermStatistic(generation=generation, term=term, frequency=n) for term, n in sorted(right[2].items()))
    TermStatistic.objects.bulk_create(rows, batch_size=1_000)
