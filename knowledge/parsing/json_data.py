"""JSON and JSON Lines: records as rows, nested objects under headings, every value exactly as it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentRefused, DocumentTooLarge
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.decode import decode
from knowledge.parsing.formats import JSON, JSONL
from knowledge.parsing.invisible import invisible_characters
from knowledge.parsing.json_layout import JsonLayout, Members, Value, title_of
from knowledge.types import ParsedDocument

MAX_DEPTH: Final = 200
_TOKENS_PER_VALUE = 8
_LINES_NAMED: Final = 10
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=Members, parse_float=str, parse_int=str, parse_constant=str, strict=False
)


class JsonParser:
    name: ClassVar[str] = "json"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (JSON,)
    extensions: ClassVar[tuple[str, ...]] = (".json", ".geojson")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        check_shape(text, context.limits)
        layout = JsonLayout(most=_most(text))
        title = None
        try:
            value = load(text)
        except json.JSONDecodeError as err:
            if not err.msg.startswith("Extra data"):
                raise _damaged(err) from err
            records, broken = _records(text, context.limits)  # lines of JSON under the wrong name
            if broken:
                raise _damaged(err) from err
            for number, record in records:
                layout.record(record, number)
        else:
            title = title_of(value)
            layout.document(value)
        return _finish(self, layout.builder, title=title)


class JsonLinesParser:
    name: ClassVar[str] = "jsonl"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (JSONL,)
    extensions: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        text = decode(data)
        records, broken = _records(text, context.limits)
        layout = JsonLayout(most=_most(text))
        if broken and (whole := _whole(text, context.limits)) is not None:
            layout.document(whole)
            return _finish(self, layout.builder, title=title_of(whole))
        if broken and not records:
            raise DocumentDamaged("No line of the file is valid JSON.")
        for number, record in records:
            layout.record(record, number)
        return _finish(self, layout.builder, title=None, warnings=_warning(broken, len(records)))


def load(text: str) -> Value:
    """Read JSON with numbers as their text, objects as pairs (keys may repeat) and NaN allowed.

    :raises json.JSONDecodeError: it is not JSON.
    """
    value: Value = _DECODER.decode(text)
    return value


def check_shape(text: str, limits: ParseLimits) -> int:
    """Count the values without building any; linear, and not deceived by brackets within strings.

    :raises DocumentRefused: nested deeper than 200.
    :raises DocumentTooLarge: more values than ``limits.cells``.
    """
    depth = values = 0
    for count, token in enumerate(_TOKEN.finditer(text)):
        mark = token.group()[0]
        if mark in "[{":
            depth += 1
            values += 1
            if depth > MAX_DEPTH:
                raise DocumentRefused(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
        elif mark in "]}":
            depth -= 1
        elif mark == ",":
            values += 1
        if values > limits.cells or count > _TOKENS_PER_VALUE * limits.cells:
            raise DocumentTooLarge(f"The JSON holds more than {limits.cells:,} values.")
    return values


def _records(text: str, limits: ParseLimits) -> tuple[list[tuple[int, Value]], list[int]]:
    """Return the records with their line numbers, and the numbers of the lines that are none."""
    records: list[tuple[int, Value]] = []
    broken: list[int] = []
    values = 0
    for number, line in _lines(text):
        try:
            values += 1 + check_shape(line, limits)
            records.append((number, load(line)))
        except (json.JSONDecodeError, DocumentRefused):
            broken.append(number)
        if values > limits.cells:
            raise DocumentTooLarge(f"The file holds more than {limits.cells:,} values.")
    return records, broken


def _lines(text: str) -> Iterator[tuple[int, str]]:
    position, number = 0, 0
    while position <= len(text):
        stop = text.find("\n", position)
        stop = len(text) if stop < 0 else stop
        number += 1
        if line := text[position:stop].strip("\x1e \t"):
            yield number, line
        position = stop + 1


def _whole(text: str, limits: ParseLimits) -> Value | None:
    """One JSON value over all lines, or None."""
    try:
        check_shape(text, limits)
        return load(text)
    except (json.JSONDecodeError, DocumentRefused):
        return None


def _most(text: str) -> int:
    """Characters the result may have: paths that are repeated at every value can make it endless."""
    return 8 * len(text) + 1_000_000


def _damaged(err: json.JSONDecodeError) -> DocumentDamaged:
    return DocumentDamaged(
        f"The file is not valid JSON; the fault is found at line {err.lineno:,}, column {err.colno:,}."
    )


def _warning(broken: Sequence[int], read: int) -> tuple[str, ...]:
    if not broken:
        return ()
    named = ", ".join(f"{line:,}" for line in broken[:_LINES_NAMED])
    more = f" and {len(broken) - _LINES_NAMED:,} more" if len(broken) > _LINES_NAMED else ""
    return (f"{len(broken):,} of {len(broken) + read:,} lines are not valid JSON and were left out: {named}{more}.",)


def _finish(
    parser: JsonParser | JsonLinesParser, builder: TextBuilder, *, title: str | None, warnings: tuple[str, ...] = ()
) -> ParsedDocument:
    document = builder.document(
        parser=parser.name,
        parser_version=parser.version,
        media_type=parser.media_types[0],
        title=title,
        warnings=warnings,
    )
    return replace(document, warnings=warnings + invisible_characters(document.text))
