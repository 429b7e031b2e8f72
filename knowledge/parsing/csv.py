"""Comma separated values: one table row block per record, "Header: value; Header: value"."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import ClassVar

from knowledge.errors import DocumentDamaged, DocumentTooLarge
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.decode import decode
from knowledge.parsing.sheet import RecordWriter, one_line, prefixes_of
from knowledge.types import BlockKind, ParsedDocument

MAX_COLUMNS = 5_000
MAX_CELL_CHARACTERS = 1_000_000
_NAME_LENGTH = 1_000  # a longer text is no column name: it would be repeated on every row
_MOST_TITLES = 5
_SAMPLE = 30  # records that tell whether the table has several columns
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+\u2212]?(?:\d{1,3}(?:[.,'\s]\d{3})+|\d+)(?:[.,]\d+)?\s?[%€$£]?")
_COUNT = re.compile(r"\d{1,4}", re.ASCII)


class CsvParser:
    name: ClassVar[str] = "csv"
    version: ClassVar[str] = "2"
    media_types: ClassVar[tuple[str, ...]] = ("text/csv",)
    extensions: ClassVar[tuple[str, ...]] = (".csv", ".tsv")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        layout = _layout(_records(text, context.limits.cells))
        builder = TextBuilder()
        records = RecordWriter(builder, context.limits)
        for number, cells in enumerate(_records(text, context.limits.cells), start=1):
            columns = tuple(column for column, cell in enumerate(cells, start=1) if cell)
            texts = [cell for cell in cells if cell]
            if number < layout.header:
                records.add_line(BlockKind.CAPTION, number, columns, texts)
            elif number > layout.header:
                records.add(layout.prefixes, number, columns, texts)
            elif layout.repeats_header:
                records.add({}, number, columns, texts, {"header": True})
        return builder.document(
            parser=self.name, parser_version=self.version, media_type=self.media_types[0], title=None
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the header stands among the records that are not blank; 0: there is none."""

    header: int
    prefixes: dict[int, str]
    repeats_header: bool  # a column without a value would lose its name


def _layout(records: Iterator[list[str]]) -> _Layout:
    """Find the header: the first record, or the one under title lines ("Title,,", or "Title" over wider records)."""
    header, names, titles, count = 0, dict[int, str](), 0, 0
    used: set[int] = set()
    first = list(islice(records, _SAMPLE))
    several = sum(len(cells) > 1 for cells in first)
    wide = several > 1 and 2 * several >= len(first)
    for count, cells in enumerate(chain(first, records), start=1):
        filled = {column for column, cell in enumerate(cells, start=1) if cell}
        if header:
            used |= filled
        elif (len(cells) > 1 or wide) and len(filled) == 1 and titles < _MOST_TITLES:
            titles += 1
        else:
            header, names = count, {column: cells[column - 1] for column in sorted(filled)}
    if header in (0, count) or not _name_columns(names):
        return _Layout(0, {}, repeats_header=False)  # data alone
    return _Layout(header, prefixes_of(names), repeats_header=not names.keys() <= used)


def _name_columns(names: dict[int, str]) -> bool:
    """Whether a record can be a header. Years and counted columns ("Month,1,2,3") are names, other numbers values."""
    numbers = [text for text in names.values() if _NUMBER.fullmatch(text)]
    if any(len(text) > _NAME_LENGTH for text in names.values()) or not all(_COUNT.fullmatch(n) for n in numbers):
        return False
    values = [int(text) for text in numbers]
    if all(1800 <= value <= 2200 for value in values):
        return True
    counted = len(values) > 1 and all(after == before + 1 for before, after in pairwise(values))
    return counted and names.get(1) not in numbers


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
        if any(cells := [one_line(cell) for cell in record]):
            yield cells


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
        usual = Counter(count for count in counts if count)
        if not usual:
            continue
        count, same = max(usual.items(), key=lambda each: (each[1], each[0]))
        if not counts[0] and 2 * same < len(counts):
            continue  # under a title most lines are records; in a single column few lines hold one
        score = 100 * same / len(counts) + min(count, 50) / 100
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _outside_quotes(line: str, delimiter: str) -> int:
    return sum(part.count(delimiter) for part in line.split('"')[0::2])
