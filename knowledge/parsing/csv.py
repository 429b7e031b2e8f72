"""Comma separated values: one table row block per record, "Header: value; Header: value"."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import ClassVar

from knowledge.errors import DocumentDamaged, DocumentTooLarge
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder, format_row
from knowledge.parsing.decode import decode
from knowledge.types import BlockKind, ParsedDocument

MAX_COLUMNS = 5_000
MAX_CELL_CHARACTERS = 1_000_000
_DELIMITERS = ",;\t|"


class CsvParser:
    name: ClassVar[str] = "csv"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = ("text/csv",)
    extensions: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        builder = TextBuilder()
        headers: list[str] | None = None
        for number, cells in enumerate(_records(text, context.limits.cells), start=1):
            if headers is None:
                headers = cells
                continue
            _add_row(builder, headers, cells, number)
        if headers and not len(builder):  # a single record: data, not a header
            _add_row(builder, [], headers, 1)
        return builder.document(
            parser=self.name, parser_version=self.version, media_type=self.media_types[0], title=None
        )


def _add_row(builder: TextBuilder, headers: list[str], cells: list[str], number: int) -> None:
    row, _ = format_row(headers, cells)
    builder.add(BlockKind.TABLE_ROW, row, attrs={"row": number})


def _records(text: str, max_cells: int) -> Iterator[list[str]]:
    """Yield the records that are not blank, cells folded to one line.

    :raises DocumentDamaged: a quote is never closed.
    :raises DocumentTooLarge: too many columns or cells, or one cell too long.
    """
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    delimiter = sniff_delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    total, line = 0, 1
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            raise _readable(err, line) from err
        total += len(record)
        if len(record) > MAX_COLUMNS:
            raise DocumentTooLarge(f"Line {line} has {len(record):,} columns; at most {MAX_COLUMNS:,} are accepted.")
        if total > max_cells:
            raise DocumentTooLarge(f"The table has more than {max_cells:,} cells.")
        line = reader.line_num + 1
        if any(cell.strip() for cell in record):
            yield [" ".join(cell.split()) for cell in record]


def _readable(err: csv.Error, line: int) -> DocumentDamaged | DocumentTooLarge:
    message = str(err)
    if "field larger" in message:
        return DocumentTooLarge(
            f"The record at line {line} has a cell of more than {MAX_CELL_CHARACTERS:,} characters; "
            "a quote may be missing."
        )
    if "unexpected end" in message:
        return DocumentDamaged(f"A quote opened in the record at line {line} is never closed.")
    return DocumentDamaged(f"The record at line {line} is not valid CSV: {message}.")


def sniff_delimiter(text: str) -> str:
    """The delimiter that splits the first records most evenly; a comma when none does."""
    lines = [line for line in text[:20_000].splitlines()[:30] if line.strip()]
    if len(text) > 20_000 and len(lines) > 1:
        lines.pop()  # may be cut
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        counts = [_outside_quotes(line, delimiter) for line in lines]
        if not counts or not counts[0]:
            continue
        same = sum(count == counts[0] for count in counts) / len(counts)
        score = same * 100 + min(counts[0], 50) / 100
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _outside_quotes(line: str, delimiter: str) -> int:
    return sum(part.count(delimiter) for part in line.split('"')[0::2])
