"""Notebooks: words, code and its printed results, cell by cell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentTooLarge, DocumentWithoutText
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.decode import clean, decode
from knowledge.parsing.embedded import append
from knowledge.parsing.formats import NOTEBOOK
from knowledge.parsing.html import add_html
from knowledge.parsing.markdown import MarkdownParser
from knowledge.types import BlockKind, ParsedDocument

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PICTURE = re.compile(r"!\[([^\[\]]*)\]\(\s*<?(?:data|attachment):[^\s()<>]*>?[^()]{0,200}\)")
_OLD_NAMES: Final = {"pyout": "execute_result", "pyerr": "error"}
_OLD_TYPES: Final = {"text": "text/plain", "html": "text/html", "latex": "text/latex", "png": "image/png",
                     "jpeg": "image/jpeg", "svg": "image/svg+xml"}  # fmt: skip

Json = dict[str, Any]


class NotebookParser:
    name: ClassVar[str] = "ipynb"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (NOTEBOOK,)
    extensions: ClassVar[tuple[str, ...]] = (".ipynb",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        notebook = _load(data)
        metadata = _object(notebook.get("metadata"))
        language = _language(metadata)
        writer = _Writer(context)
        for number, cell in enumerate(_cells(notebook), start=1):
            writer.cell(cell, number, _text(cell.get("language")) or language)
        return writer.builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=NOTEBOOK,
            title=_text(metadata.get("title")) or writer.title,
        )


def _load(data: bytes) -> Json:
    text = decode(data)
    if not text.strip():
        raise DocumentWithoutText("The file holds nothing but white space.")
    try:
        found = json.loads(text)
    except RecursionError as err:
        raise DocumentTooLarge("The notebook nests its values too deep.") from err
    except ValueError as err:
        place = f" at line {err.lineno}" if isinstance(err, json.JSONDecodeError) else ""
        raise DocumentDamaged(f"The notebook is damaged: it is not valid JSON{place}.") from err
    if not isinstance(found, dict) or not ("cells" in found or "worksheets" in found):
        raise DocumentDamaged("The file is not a notebook: it holds no cells.")
    return found


def _cells(notebook: Json) -> Iterator[Json]:
    """The cells of format 4, or of the worksheets of format 3."""
    sheets = notebook.get("worksheets")
    for holder in [notebook, *(sheets if isinstance(sheets, list) else [])]:
        cells = _object(holder).get("cells")
        yield from (cell for cell in (cells if isinstance(cells, list) else []) if isinstance(cell, dict))


def _language(metadata: Json) -> str:
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        if language := _text(_object(metadata.get(key)).get(name)):
            return language
    return ""


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _raw(value: object) -> str:
    """A text or a list of its lines, as one text."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _text(value: object) -> str:
    return clean(_raw(value))


def _shown(value: object) -> str:
    """Printed text as a terminal shows it: no colours, and only what stands after the last return in a line."""
    plain = _ANSI.sub("", _raw(value)).replace("\r\n", "\n")
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n"))
    return _CONTROL.sub("", clean("\n".join(lines))).strip("\n").rstrip()


class _Writer:
    def __init__(self, context: ParseContext) -> None:
        self.builder = TextBuilder()
        self.title: str | None = None
        self._context = context

    def cell(self, cell: Json, number: int, language: str) -> None:
        source = _text(cell.get("source") if "source" in cell else cell.get("input"))
        kind = cell.get("cell_type")
        attrs: Json = {"cell": number}
        if kind == "code":
            code = source.strip("\n").rstrip()
            self.builder.add(BlockKind.CODE, code, attrs={**attrs, "language": language} if language else attrs)
            outputs = cell.get("outputs")
            self._outputs([one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else [], attrs)
        elif kind == "heading":  # format 3
            level = cell.get("level")
            level = level if isinstance(level, int) and 1 <= level <= 6 else 1
            self.builder.add(BlockKind.HEADING, " ".join(source.split()), level=level, attrs=attrs)
        elif kind == "raw":
            self.builder.add(BlockKind.PARAGRAPH, source.strip("\n").rstrip(), attrs=attrs)
        else:
            self._markdown(source, attrs)

    def _markdown(self, source: str, attrs: Json) -> None:
        source = _PICTURE.sub(r"\1", source)
        try:
            document = MarkdownParser().parse(source.encode(), self._context)
        except DocumentWithoutText:
            return
        self.title = self.title or document.title
        append(self.builder, document, attrs=attrs)

    def _outputs(self, outputs: list[Json], attrs: Json) -> None:
        attrs = {**attrs, "output": True}
        printed: list[str] = []  # what is printed comes in pieces, cut anywhere
        for output in outputs:
            kind = _OLD_NAMES.get(str(output.get("output_type")), output.get("output_type"))
            if kind == "stream":
                printed.append(_raw(output.get("text")))
                continue
            self._code("".join(printed), attrs)
            printed.clear()
            if kind == "error":
                traceback = output.get("traceback")
                lines = [line for line in traceback if isinstance(line, str)] if isinstance(traceback, list) else []
                error = f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
                self._code("\n".join(lines) or error, attrs)
            else:
                self._result(_data(output), attrs)
        self._code("".join(printed), attrs)

    def _code(self, text: object, attrs: Json) -> None:
        self.builder.add(BlockKind.CODE, _shown(text), attrs=attrs)

    def _result(self, data: Json, attrs: Json) -> None:
        """The plainest form of a result; a picture's stand-in ("<Figure size ...>") is no text."""
        if any(str(kind).startswith("image/") for kind in data):
            return
        if plain := _shown(data.get("text/plain")):
            self.builder.add(BlockKind.CODE, plain, attrs=attrs)
        elif markdown := _text(data.get("text/markdown")):
            self._markdown(markdown, attrs)
        elif page := _text(data.get("text/html")):
            of_body = lambda node: attrs if node.tag == "body" else None  # noqa: E731
            add_html(self.builder, page, self._context.limits, attrs_of=of_body)
        elif latex := _text(data.get("text/latex")):
            self.builder.add(BlockKind.CODE, latex, attrs=attrs)


def _data(output: Json) -> Json:
    """The forms of a result by media type; format 3 keeps them beside the other fields under short names."""
    if isinstance(output.get("data"), dict):
        return _object(output["data"])
    return {_OLD_TYPES[key]: value for key, value in output.items() if key in _OLD_TYPES}
