"""Old binary spreadsheets (XLS), read by calamine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentError
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.formats import XLS
from knowledge.parsing.number_format import NumberFormat, number_format
from knowledge.parsing.ole import Compound
from knowledge.parsing.sheet import Sheet, SheetWriter, one_line
from knowledge.parsing.sheet_tables import DATE, NUMBER, TEXT, Row
from knowledge.parsing.xls_records import SheetFacts, WorkbookFacts, look
from knowledge.types import ParsedDocument

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook


class XlsParser:
    name: ClassVar[str] = "xls"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (XLS,)
    extensions: ClassVar[tuple[str, ...]] = (".xls", ".xlt")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        builder = TextBuilder()
        writer = SheetWriter(builder, context.limits)
        facts = look(_workbook_stream(data, context.limits), max_cells=context.limits.cells)
        for sheet in _sheets(_open(data), facts, writer):
            writer.sheet(sheet)
        return builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=None,
            warnings=writer.finish(),
        )


def _workbook_stream(data: bytes, limits: ParseLimits) -> bytes:
    compound = Compound(data, limits)
    for name in ("Workbook", "Book"):
        entry = compound.root.children.get(name)
        if entry is not None and not entry.is_storage:
            return compound.read(entry)
    raise DocumentDamaged("The file is damaged: it holds no workbook.")


def _open(data: bytes) -> CalamineWorkbook:
    from python_calamine import CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except PasswordError as err:
        raise DocumentEncrypted from err
    except BaseException as err:
        raise _damaged(err) from err


def _sheets(workbook: CalamineWorkbook, facts: WorkbookFacts, writer: SheetWriter) -> Iterator[Sheet]:
    """Yield the sheets in workbook order.

    :raises DocumentDamaged: one of them cannot be read.
    """
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    formats = _Formats(facts)
    for index, entry in enumerate(workbook.sheets_metadata):
        name = one_line(entry.name) or f"Sheet{index + 1}"
        if entry.typ is not SheetTypeEnum.WorkSheet:
            writer.warnings.append(f"The sheet “{name}” holds no cells (a chart, a dialog or macros) and was left out.")
            continue
        known = facts.sheets.get(index, SheetFacts())
        try:
            source = workbook.get_sheet_by_index(index)
            merges = [(a + 1, b + 1, c + 1, d + 1) for (a, b), (c, d) in source.merged_cell_ranges or ()]
            rows = list(_rows(source, known, formats))
        except BaseException as err:
            raise _damaged(err) from err
        writer.spend(len(merges) + sum(len(row.columns) for row in rows))
        if known.comments:
            count = f"{known.comments:,} comments" if known.comments > 1 else "a comment"
            writer.warnings.append(f"The sheet “{name}” has {count}, not read from XLS workbooks.")
        hidden = entry.visible is not SheetVisibleEnum.Visible
        yield Sheet(name=name, rows=rows, merges=merges, hidden=hidden, hidden_columns=known.hidden_columns)


def _damaged(err: BaseException) -> BaseException:
    """What to raise for an error inside calamine, whose panics are no ``Exception``."""
    if isinstance(err, (DocumentError, MemoryError, KeyboardInterrupt, SystemExit)):
        return err
    return DocumentDamaged("The file is damaged: it cannot be read as an XLS workbook.")


def _rows(source: CalamineSheet, facts: SheetFacts, formats: _Formats) -> Iterator[Row]:
    """Rows come from the top of the sheet, their values from its first used column; errors come empty."""
    before = source.start[1] if source.start else 0
    for number, values in enumerate(source.iter_rows(), start=1):
        cells = [
            (column, *formats.shown(value, facts.styles.get((number, column), 0)))
            for column, value in enumerate(values, start=before + 1)
            if value != ""
        ]
        if cells := [cell for cell in cells if cell[1]]:
            columns, texts, kinds = zip(*cells, strict=True)
            yield Row(number, columns, list(texts), bytes(kinds), number in facts.hidden_rows)
    for (number, column), text in sorted(facts.errors.items()):
        yield Row(number, (column,), [text], bytes((NUMBER,)), number in facts.hidden_rows)


class _Formats:
    """Shows values by the number formats of the workbook."""

    def __init__(self, facts: WorkbookFacts) -> None:
        self._facts = facts
        self._made: dict[int, NumberFormat] = {}

    def shown(self, value: object, style: int) -> tuple[str, int]:
        """Text and kind of a value."""
        if isinstance(value, bool):
            return str(value).upper(), NUMBER
        if isinstance(value, str):
            return one_line(value), TEXT
        known = self._made.get(style)
        if known is None:
            known = self._made[style] = number_format(self._facts.code(style), date1904=False)
        if isinstance(value, (int, float)):
            return one_line(known.show(repr(value).removesuffix(".0"))), DATE if known.is_date else NUMBER
        days = _days(value)
        return one_line(known.show(repr(days)) if known.is_date and days is not None else str(value)), DATE


def _days(value: object) -> float | None:
    """Days since the beginning of 1900 as a spreadsheet counts them; calamine gives dates in either system as dates."""
    if isinstance(value, time):
        value = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    elif isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
        value = moment - datetime(1899, 12, 30 if moment.year > 1900 or moment.month > 2 else 31)  # noqa: DTZ001
    return value / timedelta(days=1) if isinstance(value, timedelta) else None
