"""The parts of an XLSX workbook around its cells: relations, styles, shared texts, comments, text boxes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.number_format import GENERAL, NumberFormat, format_code, number_format
from knowledge.parsing.ooxml import Package
from knowledge.parsing.sheet import Note, one_line
from knowledge.parsing.sheet_tables import MAX_COLUMNS, MAX_ROWS

if TYPE_CHECKING:
    from lxml.etree import _Element

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_DC_TITLE: Final = "{http://purl.org/dc/elements/1.1/}title"


@dataclass(frozen=True, slots=True)
class Relation:
    kind: str  # last part of its type: "worksheet", "comments"
    target: str  # name of a part


@dataclass(frozen=True, slots=True)
class Style:
    format: NumberFormat = GENERAL
    bold: bool = False


def local(element: _Element) -> str:
    """The tag without its namespace; strict and transitional files differ in it."""
    return str(element.tag).rpartition("}")[2]


def attribute(element: _Element, name: str) -> str:
    """An attribute by its name without namespace."""
    return next((str(value) for key, value in element.items() if str(key).rpartition("}")[2] == name), "")


def is_on(value: str | None) -> bool:
    return value in ("1", "true", "on")


def whole(value: str | None) -> int:
    """A number of an attribute; -1 for anything else or one too long to be meant."""
    return int(value) if value and value.isdecimal() and len(value) < 8 else -1


def relations(package: Package, part: str) -> dict[str, Relation]:
    """What a part ("" for the package) points to inside the file, by relation id."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    if rels not in package.names:
        return {}
    found = {}
    for each in package.xml(rels):
        if each.get("TargetMode") != "External":
            target = unquote(each.get("Target") or "").replace("\\", "/")
            path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found[each.get("Id") or ""] = Relation((each.get("Type") or "").rpartition("/")[2], path)
    return found


def title(package: Package) -> str | None:
    if "docProps/core.xml" not in package.names:
        return None
    return package.xml("docProps/core.xml").findtext(_DC_TITLE) or None


def position(reference: str) -> tuple[int, int] | None:
    """Row and column of "B5", 1-based; None outside a sheet."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    row = int(match[2])
    return (row, column) if 0 < row <= MAX_ROWS and column <= MAX_COLUMNS else None


def rich_text(element: _Element) -> str:
    """The text of a string item: runs joined, phonetic hints left out, on one line."""
    parts: list[str] = []
    for child in element:
        name = local(child)
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts += [each.text or "" for each in child if local(each) == "t"]
    return one_line(unescaped("".join(parts)))


def unescaped(text: str) -> str:
    """Resolve ``_x000D_`` escapes; pairs of surrogates become one character."""
    if "_x" not in text:
        return text
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shared_texts(package: Package, part: str, limit: int) -> list[str]:
    """Every shared string.

    :raises DocumentTooLarge: more than ``limit``.
    """
    texts: list[str] = []
    for item in package.stream(part, "{*}si"):
        if len(texts) >= limit:
            raise DocumentTooLarge(f"The workbook shares more than {limit:,} texts.")
        texts.append(rich_text(item))
    return texts


def styles(package: Package, part: str, *, date1904: bool) -> list[Style]:
    """How each cell style shows numbers and whether its font is bold; unlike formats share one object."""
    root = package.xml(part)
    groups = {local(child): child for child in root}
    codes = {each.get("numFmtId"): unescaped(each.get("formatCode") or "") for each in groups.get("numFmts", ())}
    bold = [
        any(local(p) == "b" and p.get("val") not in ("0", "false") for p in font) for font in groups.get("fonts", ())
    ]
    made: dict[str, NumberFormat] = {}
    found = []
    for xf in groups.get("cellXfs", ()):
        number = xf.get("numFmtId") or "0"
        code = codes.get(number)
        if code is None:
            code = format_code(whole(number))
        if code not in made:
            made[code] = number_format(code, date1904=date1904)
        font = whole(xf.get("fontId"))
        found.append(Style(made[code], 0 <= font < len(bold) and bold[font]))
    return found


def notes(package: Package, targets: list[Relation], people: dict[str, str]) -> Iterator[Note]:
    """Comments on cells; a threaded comment replaces the placeholder that older programs show for it."""
    threaded: set[tuple[int, int]] = set()
    for relation in targets:
        if relation.kind == "threadedComment" and relation.target in package.names:
            for comment in package.xml(relation.target):
                place = position(comment.get("ref") or "")
                text = one_line(" ".join(child.text or "" for child in comment if local(child) == "text"))
                if place and text:
                    threaded.add(place)
                    yield Note(*place, people.get(comment.get("personId") or "", ""), text)
    for relation in targets:
        if relation.kind == "comments" and relation.target in package.names:
            yield from _plain_notes(package.xml(relation.target), threaded)


def _plain_notes(root: _Element, threaded: set[tuple[int, int]]) -> Iterator[Note]:
    groups = {local(child): child for child in root}
    authors = [one_line(each.text or "") for each in groups.get("authors", ())]
    for comment in groups.get("commentList", ()):
        place = position(comment.get("ref") or "")
        number = whole(comment.get("authorId"))
        author = authors[number] if 0 <= number < len(authors) else ""
        text = " ".join(rich_text(child) for child in comment if local(child) == "text")
        if author and text.startswith(f"{author}:"):  # programs write the name into the text as well
            text = text[len(author) + 1 :].strip()
        if place and text and not (author.startswith("tc=") and place in threaded):
            yield Note(*place, "" if author.startswith("tc=") else author, text)


def people(package: Package, workbook: dict[str, Relation]) -> dict[str, str]:
    """Names of the authors of threaded comments."""
    found = {}
    for relation in workbook.values():
        if relation.kind == "person" and relation.target in package.names:
            for person in package.xml(relation.target):
                found[person.get("id") or ""] = one_line(person.get("displayName") or "")
    return found


def text_boxes(package: Package, targets: list[Relation]) -> Iterator[str]:
    """The texts of shapes drawn over the cells, in the order of the file."""
    for relation in targets:
        if relation.kind == "drawing" and relation.target in package.names:
            for body in package.xml(relation.target).iter("{*}txBody"):
                lines = ("".join(t.text or "" for t in p.iter("{*}t")) for p in body.iter("{*}p"))
                if text := "\n".join(filter(None, map(one_line, lines))):
                    yield text
