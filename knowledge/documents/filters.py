"""What narrows a search to some documents: the grammar of filters, and their answer from the database.

A filter becomes the set of documents that pass it, so that every store applies it before it ranks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Self, TypeAlias

from django.db import connection
from django.db.models import BooleanField, F, Func, Q
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from knowledge.documents.access import as_uuid
from knowledge.documents.models import Document
from knowledge.errors import KnowledgeError
from knowledge.types import Scope

UNDETERMINED = "und"
"""ISO 639 for a language that could not be told; a version stores it as the empty text."""

MANY = 1_000
"""From here on a list of documents costs LanceDB 15 ms for each thousand, so one of all documents is not sent."""

EXPECTED = {
    "documents": "a list of 1 to 1,000 document ids",
    "metadata": "an object of up to 20 names, each with a text, number, true, false or null, a list of these "
    '(any of them passes), or {"exists": true}',
    "created": 'an object with "from", "to" or both, as dates like "2026-01-31"',
    "updated": 'an object with "from", "to" or both, as dates like "2026-01-31"',
    "media_type": 'a media type like "application/pdf", or a list of them',
    "language": 'a language like "de" ("und" for undetermined), or a list of them',
}


class BadFilter(KnowledgeError):
    code = "bad_filter"
    status = 400
    default_message = "The filters are not as the interface expects them."


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _iso_date(value: Any) -> Any:
    """Read nothing but a calendar date: pydantic would take seconds since 1970 for one, too."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):  # Python also reads 20260131 and 2026-W05-1
        raise ValueError("not a date")
    return date.fromisoformat(value)


Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=400)]
Day: TypeAlias = Annotated[date, BeforeValidator(_iso_date)]
Scalar: TypeAlias = (
    Annotated[str, Field(max_length=10_000)]
    | bool
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(allow_inf_nan=False)]
    | None
)
Texts: TypeAlias = Text | Annotated[list[Text], Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Existence(_Strict):
    exists: bool


class DateRange(_Strict):
    """Days in UTC, both included."""

    start: Day | None = Field(default=None, alias="from")
    end: Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _some_days(self) -> DateRange:
        if self.start is None and self.end is None:
            raise ValueError("neither from nor to")
        if self.start and self.end and self.start > self.end:
            raise ValueError("it ends before it begins")
        return self


class SearchFilters(_Strict):
    """What narrows a search; all of it must pass. A filter that is not known is refused, never ignored."""

    documents: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    metadata: dict[Text, Existence | Annotated[list[Scalar], Field(min_length=1, max_length=100)] | Scalar] = Field(
        default_factory=dict, max_length=20
    )
    created: DateRange | None = None
    updated: DateRange | None = None
    media_type: Texts | None = None
    language: Texts | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Say what is wrong in a sentence.

        :raises BadFilter: not a ``ValueError``, so that it leaves the validation as it is.
        """
        try:
            return handler(data)
        except ValidationError as error:
            raise BadFilter(_sentence(error)) from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name in EXPECTED:
        return f"The filter {name} must be {EXPECTED[name]}."
    known = ", ".join(EXPECTED)
    if name:
        return f"There is no filter named “{name[:80]}”. Known filters: {known}."
    return f"Filters must be an object. Known filters: {known}."


def narrowed(scope: Scope, filters: SearchFilters | None) -> Scope:
    """Return the scope with only those of its documents that pass; with none it matches nothing."""
    if filters is None or filters == SearchFilters():
        return scope
    rows = Document.objects.in_scope(replace(scope, without=frozenset())).alive()
    passing = frozenset(str(pk) for pk in rows.filter(*_conditions(filters)).values_list("pk", flat=True))
    if len(passing) >= MANY and len(passing) == rows.count():
        return scope
    return replace(scope, documents=passing - scope.without, without=frozenset())


def _conditions(filters: SearchFilters) -> list[Q | Func]:
    found: list[Q | Func] = []
    if filters.documents is not None:
        found.append(Q(pk__in=[pk for pk in map(as_uuid, filters.documents) if pk]))
    for key, wanted in filters.metadata.items():
        if isinstance(wanted, Existence):
            there = _holds(key, None)
            found.append(there if wanted.exists else ~Q(there))
        else:
            found.append(_holds(key, wanted if isinstance(wanted, list) else [wanted]))
    found += _within("created", filters.created) + _within("updated", filters.updated)
    if filters.media_type is not None:
        found.append(Q(current_version__media_type__in=_texts(filters.media_type)))
    if filters.language is not None:
        stored = ["" if code == UNDETERMINED else code for code in _texts(filters.language)]
        found.append(Q(current_version__language__in=stored))
    return found


def _texts(given: str | list[str]) -> list[str]:
    return [text.lower() for text in ([given] if isinstance(given, str) else given)]


def _within(field: str, days: DateRange | None) -> list[Q | Func]:
    found: list[Q | Func] = []
    if days is not None and days.start is not None:
        found.append(Q(**{f"{field}__gte": _midnight(days.start)}))
    if days is not None and days.end is not None and days.end < date.max:
        found.append(Q(**{f"{field}__lt": _midnight(days.end + timedelta(days=1))}))
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _holds(key: str, values: Sequence[Scalar] | None) -> Q | Func:
    """Ask whether the metadata has the key, with one of the values; a list in it passes by any of its items."""
    if connection.vendor == "sqlite":
        return _HoldsOnSqlite(key, values)
    if values is None:
        return Q(metadata__has_key=key)
    passes = Q()
    for value in values:
        passes |= Q(metadata__contains={key: value}) | Q(metadata__contains={key: [value]})
    return passes


class _HoldsOnSqlite(Func):
    """The same there, where ``contains`` does not exist and a lookup by key takes "2024" for a place in a list."""

    output_field = BooleanField()

    def __init__(self, key: str, values: Sequence[Scalar] | None) -> None:
        super().__init__(F("metadata"))
        self._key, self._values = key, values

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        column, parameters = compiler.compile(self.source_expressions[0])
        where, wanted = "1", list[Any]()
        if self._values is not None:
            own, wanted = _is_any_of("pair", self._values)
            item, _same = _is_any_of("item", self._values)
            inside = f"pair.type = 'array' AND EXISTS (SELECT 1 FROM json_each(pair.value) AS item WHERE {item})"  # noqa: S608
            where, wanted = f"(({own}) OR ({inside}))", [*wanted, *wanted]
        sql = f"EXISTS (SELECT 1 FROM json_each({column}) AS pair WHERE pair.key = %s AND {where})"  # noqa: S608
        return sql, [*parameters, self._key, *wanted]


def _is_any_of(row: str, values: Sequence[Scalar]) -> tuple[str, list[Any]]:
    """Return the condition on a row of ``json_each`` and its parameters: 1 is neither true nor "1"."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    plain = {None: "null", True: "true", False: "false"}
    names = [f"'{name}'" for value, name in plain.items() if any(given is value for given in values)]
    parts = []
    if texts:
        parts.append(f"({row}.type = 'text' AND {row}.atom IN ({', '.join(['%s'] * len(texts))}))")
    if numbers:
        parts.append(f"({row}.type IN ('integer', 'real') AND {row}.atom IN ({', '.join(['%s'] * len(numbers))}))")
    if names:
        parts.append(f"{row}.type IN ({', '.join(names)})")
    return " OR ".join(parts), [*texts, *numbers]
