"""What is live in the database right now, as a search asks for it.

In SQL of its own: the query builder took several milliseconds of every search to put these together, the database one.
Only names of tables and places for parameters are put into it.
"""
# ruff: noqa: S608

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from django.db import connection
from django.db.models.functions import Length
from django.utils import timezone

from knowledge.documents.models import Chunk, Document, DocumentVersion, IndexGeneration, KnowledgeBase, TermStatistic
from knowledge.retrieval.base import CorpusStatistics, PassageRow
from knowledge.retrieval.calibration import Curve
from knowledge.types import Scope

__all__ = ["Instead", "LiveIndex", "LiveRows", "in_force", "replaced"]

Row: TypeAlias = tuple[Any, ...]

Instead: TypeAlias = Mapping[str, str]
"""By the id of a knowledge base, the generation of it that is searched as though it were the live one."""

MOST_TERMS = 500
"""Of a question; what is beyond is not counted."""

NEAR_TERMS = 20_000
"""Terms of the same first letter and about the same length that are compared with a misspelt word, most used first."""


MOST_VERSIONS = 500
"""That are asked for; a search has a few hundred candidates."""


class LiveRows:
    """Joins keys from a store against the rows of chunks."""

    def __init__(self, instead: Instead | None = None) -> None:
        self._instead = instead or {}

    def passages(self, keys: Collection[str], *, scope: Scope) -> dict[str, PassageRow]:
        """Return the rows of the keys that are live and in scope; every other key is left out."""
        if scope.is_empty or not keys:
            return {}
        bases, now = _ids(scope.knowledge_bases), _moment(timezone.now())
        searched, generations = _searched("chunk.generation_id", self._instead)
        # CROSS JOIN keeps SQLite, which knows nothing of the sizes of tables, from reading all chunks of the generation
        # first: 9 ms at 20,000 chunks. PostgreSQL orders the joins itself.
        rows = _select(
            f"""SELECT chunk.id, version.document_id, version.id, version.number, chunk.generation_id, chunk.ordinal,
                document.knowledge_base_id, document.title, chunk.heading_path, chunk.page_first, chunk.page_last,
                chunk.start, chunk."end", chunk.tokens, version.created
            FROM {_table(Chunk)} chunk CROSS JOIN {_table(DocumentVersion)} version
                CROSS JOIN {_table(Document)} document CROSS JOIN {_table(KnowledgeBase)} base
            WHERE chunk.id IN ({_places(keys)}) AND version.id = chunk.version_id
                AND document.id = version.document_id AND document.current_version_id = version.id
                AND base.id = document.knowledge_base_id AND {searched}
                AND document.tenant_id = %s AND document.knowledge_base_id IN ({_places(bases)})
                AND NOT base.deleting AND document.status <> %s
                AND (document.valid_from IS NULL OR document.valid_from <= %s)
                AND (document.valid_until IS NULL OR document.valid_until > %s)
                AND (document.expires IS NULL OR document.expires > %s)""",
            [*_ids(keys), *generations, *_ids([scope.tenant]), *bases, Document.Status.DELETING.value, now, now, now],
        )
        found = (_passage_row(row) for row in rows)
        # Here and not in the query: a filter may leave more documents than a statement takes parameters.
        return {
            row.key: row for row in found if scope.includes(knowledge_base=row.knowledge_base, document=row.document)
        }


def replaced(versions: Collection[str], scope: Scope) -> bool:
    """Return whether one of the versions was replaced by a later one that is live in the scope."""
    wanted, bases = list(versions)[:MOST_VERSIONS], _ids(scope.knowledge_bases)
    rows = _select(
        f"""SELECT 1 FROM {_table(DocumentVersion)} version
        JOIN {_table(Document)} document ON document.id = version.document_id
        JOIN {_table(DocumentVersion)} newer ON newer.id = document.current_version_id
        WHERE version.id IN ({_places(wanted)}) AND newer.number > version.number AND document.tenant_id = %s
            AND document.knowledge_base_id IN ({_places(bases)}) AND document.status <> %s
        LIMIT 1""",
        [*_ids(wanted), *_ids([scope.tenant]), *bases, Document.Status.DELETING.value],
    )
    return bool(rows)


def in_force(scope: Scope) -> Scope:
    """Return the scope without the documents that their dates keep out now.

    ``LiveRows`` leaves them out anyway; so the store does not find them in the place of others.
    """
    if scope.is_empty:
        return scope
    bases, now = _ids(scope.knowledge_bases), _moment(timezone.now())
    inside, found = [*bases, *_ids([scope.tenant])], _table(Document)
    # Three ranges, each of an index that holds only documents with that date: a base may have dates on all of its own.
    rows = _select(
        " UNION ".join(
            f"SELECT id FROM {found} WHERE knowledge_base_id IN ({_places(bases)}) AND tenant_id = %s AND {out} %s"
            for out in ("valid_from >", "valid_until <=", "expires <=")
        ),
        [*inside, now, *inside, now, *inside, now],
    )
    return replace(scope, without=frozenset(_id(pk) for (pk,) in rows)) if rows else scope


class LiveIndex:
    """The live generations of scopes and their statistics. For one search: the generations are asked for once."""

    def __init__(self, instead: Instead | None = None) -> None:
        self._instead = instead or {}
        self._known: dict[tuple[str, frozenset[str]], list[Row]] = {}

    def generations(self, scope: Scope) -> list[tuple[str, list[str]]]:
        """Return the ids of the live generations of the scope's knowledge bases, by space."""
        spaces: dict[str, list[str]] = {}
        for pk, space, *_ in self._rows(scope):
            spaces.setdefault(space, []).append(_id(pk))
        return list(spaces.items())

    def outdated(self, versions: Collection[str], scope: Scope) -> bool:
        """Return whether one of the versions was replaced by a later live one, or a base has another live generation
        than when this search began; what was known of the generations is then asked for anew."""
        before, self._known = self._known, {}
        if any([row[0] for row in self._rows(replace(scope, knowledge_bases=key[1]))] != [row[0] for row in rows]
               for key, rows in before.items()):  # fmt: skip
            return True
        self._known = before
        return replaced(versions, scope)

    def languages(self, scope: Scope) -> set[str]:
        """Return the languages in which documents of the scope's live generations were analysed."""
        return {language for row in self._rows(scope) for language in json.loads(row[4])}

    def for_terms(self, terms: Collection[str], *, scope: Scope) -> CorpusStatistics:
        """Return the exact corpus statistics of the scope's live generations."""
        generations = self._rows(scope)
        chunks, length = sum(row[2] for row in generations), sum(row[3] for row in generations)
        wanted, frequency = list(terms)[:MOST_TERMS], dict[str, int]()
        if generations and wanted:
            for term, count in _select(
                f"""SELECT term, frequency FROM {_table(TermStatistic)}
                WHERE generation_id IN ({_places(generations)}) AND term IN ({_places(wanted)})""",
                [*(row[0] for row in generations), *wanted],
            ):
                frequency[term] = frequency.get(term, 0) + count
        return CorpusStatistics(
            chunks=chunks, average_length=length / chunks if chunks else 0.0, document_frequency=frequency
        )

    def curves(self, scope: Scope) -> dict[str, Curve]:
        """Return the curves of the scope's calibrated bases, by id; that of another embedding model does not count."""
        found = {}
        for _, space, _, _, _, base, data in self._rows(scope):
            curve = json.loads(data) if isinstance(data, str) else data
            if curve and curve["space"] == space:
                found[_id(base)] = Curve(slope=curve["slope"], intercept=curve["intercept"])
        return found

    def near_terms(self, letter: str, least: int, most: int, scope: Scope) -> dict[str, int]:
        """Return index terms that begin with a letter and are so long, with in how many live chunks each is."""
        generations = [UUID(pk) for _, found in self.generations(scope) for pk in found]
        rows = TermStatistic.objects.alias(length=Length("term")).filter(
            generation__in=generations, term__gte=letter, term__startswith=letter, length__gte=least,
            length__lte=most, frequency__gt=0,
        )  # fmt: skip
        if connection.vendor == "sqlite":  # its LIKE uses no index; other databases may order letters in another way
            rows = rows.filter(term__lt=chr(ord(letter[0]) + 1))
        found: dict[str, int] = {}
        for term, count in rows.order_by("-frequency", "term").values_list("term", "frequency")[:NEAR_TERMS]:
            found[term] = found.get(term, 0) + count
        return found

    def _rows(self, scope: Scope) -> list[Row]:
        """Return ``(id, space, chunks, terms, languages, base, curve)`` of each generation."""
        if scope.is_empty:
            return []
        key = (scope.tenant, scope.knowledge_bases)
        if key not in self._known:
            bases = _ids(scope.knowledge_bases)
            searched, generations = _searched("generation.id", self._instead)
            self._known[key] = _select(
                f"""SELECT generation.id, generation.space, generation.chunks, generation.terms, generation.languages,
                    base.id, base.answer_curve
                FROM {_table(IndexGeneration)} generation
                JOIN {_table(KnowledgeBase)} base ON base.id = generation.knowledge_base_id
                    AND {searched}
                WHERE base.tenant_id = %s AND base.id IN ({_places(bases)})
                ORDER BY generation.created, generation.id""",
                [*generations, *_ids([scope.tenant]), *bases],
            )
        return self._known[key]


def _searched(column: str, instead: Instead) -> tuple[str, list[Any]]:
    """Return the condition that a column names the generation which a row of ``base`` is searched by."""
    if not instead:
        return f"base.live_generation_id = {column}", []
    named = " OR ".join([f"(base.id = %s AND {column} = %s)"] * len(instead))
    others = f"(base.id NOT IN ({_places(instead)}) AND base.live_generation_id = {column})"
    pairs = [part for pair in instead.items() for part in _ids(pair)]
    return f"({named} OR {others})", [*pairs, *_ids(list(instead))]


def _passage_row(row: Row) -> PassageRow:
    key, document, version, number, generation, ordinal, base, title, path, first, last, start, end, tokens, made = row
    return PassageRow(
        key=_id(key), document=_id(document), version_id=_id(version), version=number, generation=_id(generation),
        ordinal=ordinal, knowledge_base=_id(base), title=title, heading_path=tuple(json.loads(path)),
        page_first=first, page_last=last, start=start, end=end, tokens=tokens, written=_time(made),
    )  # fmt: skip


def _select(statement: str, parameters: Sequence[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[Row] = cursor.fetchall()
    return rows


def _table(model: Any) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _places(values: Collection[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _ids(values: Collection[str]) -> list[Any]:
    """Return ids as the database keeps them: SQLite has no type for them."""
    if connection.features.has_native_uuid_field:
        return [UUID(value) for value in values]
    return [value.replace("-", "") for value in values]


def _moment(value: datetime) -> Any:
    """Return a time as the database compares it: SQLite keeps UTC as text."""
    return connection.ops.adapt_datetimefield_value(value)


def _time(value: Any) -> datetime:
    """Return a time with its zone: SQLite knows none and keeps UTC, as text where it is not told the type."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _id(value: Any) -> str:
    if not isinstance(value, str):
        return str(value)
    return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
