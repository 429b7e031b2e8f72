"""Rows of the embedded store: records to Arrow and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from knowledge.errors import StoreError
from knowledge.types import Hit, IndexRecord

__all__ = ["HIT_COLUMNS", "RECORD_COLUMNS", "table_schema", "to_arrow", "to_hits", "to_records"]

HIT_COLUMNS = ["key", "document", "version", "knowledge_base", "text", "terms"]
RECORD_COLUMNS = [*HIT_COLUMNS, "generation", "ordinal", "vector"]


def table_schema(dimension: int) -> Any:
    import pyarrow as pa

    names = ("key", "knowledge_base", "generation", "document", "version")
    columns = [pa.field(name, pa.string(), nullable=False) for name in names]
    columns += [pa.field("ordinal", pa.int32(), nullable=False)]
    columns += [pa.field(name, pa.string(), nullable=False) for name in ("text", "terms")]
    return pa.schema([*columns, pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)])


def to_arrow(records: Sequence[IndexRecord], schema: Any) -> Any:
    import pyarrow as pa

    vectors = np.stack([record.vector for record in records]).astype(np.float32, copy=False)
    if vectors.shape[1] != schema.field("vector").type.list_size:
        raise StoreError("The vectors do not have the dimension of their space.")
    columns = [pa.array([getattr(r, field.name) for r in records], field.type) for field in list(schema)[:-1]]
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1]))
    return pa.table(columns, schema=schema)


def to_hits(rows: Any, score: Callable[[dict[str, Any]], float] = lambda row: 0.0) -> list[Hit]:
    """Make hits of an Arrow table; vectors, where it has them, as views of one array."""
    vectors: Any = [None] * rows.num_rows
    if "vector" in rows.column_names:
        column = rows.column("vector").combine_chunks()
        vectors = np.asarray(column.flatten(), dtype=np.float32).reshape(-1, column.type.list_size)
        rows = rows.drop_columns(["vector"])
    return [
        Hit(**{name: row[name] for name in HIT_COLUMNS}, score=float(score(row)), vector=vector)
        for row, vector in zip(rows.to_pylist(), vectors, strict=True)
    ]


def to_records(rows: Any) -> list[IndexRecord]:
    """Make records of an Arrow table of ``RECORD_COLUMNS``; their vectors are views of one array."""
    column = rows.column("vector").combine_chunks()
    vectors = np.asarray(column.flatten(), dtype=np.float32).reshape(-1, column.type.list_size)
    return [
        IndexRecord(**row, vector=vector)
        for row, vector in zip(rows.drop_columns(["vector"]).to_pylist(), vectors, strict=True)
    ]
