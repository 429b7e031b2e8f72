"""Copy the rows of a frozen version into a new draft, inside the database: a second for twenty thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, models

from chatapp.finetuning.datasets.models import DatasetVersion, RowSource, TrainingRow

__all__ = ["copy_rows"]

COPIED = (
    "key", "first_key", "origin", "kind", "prompt", "completion", "group", "split", "state", "tokens", "flags",
    "reviewed_by", "reviewed", "created",
)  # fmt: skip
SOURCE_FIELDS = (
    "role", "document", "document_ref", "base_ref", "version", "start", "end", "title", "run_ref", "case_ref",
)  # fmt: skip
NEW_ID = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}


def copy_rows(last: DatasetVersion, draft: DatasetVersion) -> None:
    """Copy the rows that still have their text, with their sources, in the order they came."""
    rows, sources = _table(TrainingRow), _table(RowSource)
    row_id, version, key, erased = _columns(TrainingRow, ("id", "version", "key", "erased"))
    source_id, source_row = _columns(RowSource, ("id", "row"))
    copied, source_copied = _columns(TrainingRow, COPIED), _columns(RowSource, SOURCE_FIELDS)
    number = TrainingRow._meta.get_field("version").get_db_prep_save
    old, new = number(last.pk, connection), number(draft.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {rows} ({row_id}, {version}, {erased}, {', '.join(copied)}) "  # noqa: S608  names of our own
            f"SELECT {NEW_ID[connection.vendor]}, %s, NULL, {', '.join(copied)} FROM {rows} "
            f"WHERE {version} = %s AND {erased} IS NULL",
            [new, old],
        )
        # A key is there once in a version: it says which copy is whose.
        cursor.execute(
            f"INSERT INTO {sources} ({source_row}, {', '.join(source_copied)}) "  # noqa: S608  names of our own
            f"SELECT copy.{row_id}, {', '.join(f'source.{name}' for name in source_copied)} FROM {rows} AS copy "
            f"JOIN {rows} AS original ON original.{version} = %s AND original.{key} = copy.{key} "
            f"JOIN {sources} AS source ON source.{source_row} = original.{row_id} "
            f"WHERE copy.{version} = %s ORDER BY source.{source_id}",
            [old, new],
        )


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _columns(model: type[models.Model], names: Sequence[str]) -> list[str]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return [connection.ops.quote_name(field.column) for field in fields]
