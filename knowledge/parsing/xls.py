"""Old binary spreadsheets (XLS), read by calamine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentError
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.formats import XLS
from knowledge.parsing.number_format import exact
from knowledge.parsing.sheet import Sheet, SheetWriter, one_line
from knowledge.parsing.sheet_tables import DATE, NUMBER, TEXT, Row
from knowledge.types import ParsedDocument

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_ERRORS: Final = frozenset(("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"))


class XlsParser:
    name: ClassVar[str] = "xls"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (XLS,)
    extensions: ClassVar[tuple[str, ...]] = (".xls", ".xlt")

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        builder = TextBuilder()
        writer = SheetWriter(builder, context.limits)
        for sheet in _sheets(_open(data), writer):
            writer.sheet(sheet)
        return builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=None,
            warnings=writer.finish(),
        )


def _open(data: bytes) -> CalamineWorkbook:
    from python_calamine import CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except PasswordError as err:
        raise DocumentEncrypted from err
    except BaseException as err:
        raise _damaged(err) from err


def _sheets(workbook: CalamineWorkbook, writer: SheetWriter) -> Iterator[Sheet]:
    """Yield the sheets in workbook order.

    :raises DocumentDamaged: one of them cannot be read.
    """
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    for index, entry in enumerate(workbook.sheets_metadata):
        name = one_line(entry.name) or f"Sheet{index + 1}"
        if entry.typ is not SheetTypeEnum.WorkSheet:
            writer.warnings.append(f"The sheet “{name}” holds no cells (a chart, a dialog or macros) and was left out.")
            continue
        try:
            source = workbook.get_sheet_by_index(index)
            merges = [(a + 1, b + 1, c + 1, d + 1) for (a, b), (c, d) in source.merged_cell_ranges or ()]
            rows = list(_rows(source, writer))
        except BaseException as err:
            raise _damaged(err) from err
        writer.spend(len(merges))
        yield Sheet(name=name, rows=rows, merges=merges, hidden=entry.visible is not SheetVisibleEnum.Visible)


def _damaged(err: BaseException) -> BaseException:
    """What to raise for an error inside calamine, whose panics are no ``Exception``."""
    if isinstance(err, (DocumentError, MemoryError, KeyboardInterrupt, SystemExit)):
        return err
    return DocumentDamaged("The file is damaged: it cannot be read as an XLS workbook.")


def _rows(source: CalamineSheet, writer: SheetWriter) -> Iterator[Row]:
    for number, values in enumerate(source.iter_rows(), start=1):
        cells = [(column, *_shown(value)) for column, value in enumerate(values, start=1) if value != ""]
        cells = [cell for cell in cells if cell[1]]
        if cells:
            writer.spend(len(cells))
            columns, texts, kinds = zip(*cells, strict=True)
            yield Row(number, columns, list(texts), bytes(kinds))


def _shown(value: object) -> tuple[str, int]:
    """Text and kind of a value; the file's number formats are not known beyond what is a date."""
    if isinstance(value, bool):
        return str(value).upper(), NUMBER
    if isinstance(value, (int, float)):
        return exact(repr(value).removesuffix(".0")), NUMBER
    if isinstance(value, datetime):
        return (value.isoformat(" ") if value.time() != time() else value.date().isoformat()), DATE
    if isinstance(value, (date, time)):
        return value.isoformat(), DATE
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}", DATE
    text = one_line(str(value))
    return text, NUMBER if text in _ERRORS else TEXT
