"""The door every Office Open XML file passes before a part of it is inflated."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from knowledge.errors import DocumentDamaged, DocumentRefused, DocumentTooLarge
from knowledge.parsing.base import ParseLimits

if TYPE_CHECKING:
    from lxml.etree import _Element

_RATIO_FROM = 10 * 1024 * 1024  # small files may compress any way they like
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError)  # ValueError: names, offsets
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for any amount of memory
_END_RECORD = b"PK\x05\x06"
_STRICT = re.compile(rb'="http://purl\.oclc\.org/ooxml/([A-Za-z]+)/([A-Za-z/]+)"')
_DECLARED = 16 * 1024  # the root element declares the namespaces
_PROLOG = re.compile(rb"\s*(?:<\?[^>]*\?>\s*|<!--(?:[^-]|-[^-])*-->\s*)*<!DOCTYPE", re.IGNORECASE)


class Package:
    """A zip of XML parts, checked against the limits when opened."""

    def __init__(self, data: bytes, limits: ParseLimits) -> None:
        """Open the archive.

        :raises DocumentDamaged: the archive cannot be opened.
        :raises DocumentTooLarge: too many parts, too large once inflated, or inflated too strongly.
        """
        self._limits = limits
        check_count(data, limits.archive_parts)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, RuntimeError) as err:
            raise DocumentDamaged("The file is damaged: its archive cannot be opened.") from err
        self._check_sizes(len(data))
        self.names = frozenset(info.filename for info in self._zip.infolist())

    def _check_sizes(self, compressed: int) -> None:
        infos = self._zip.infolist()
        if len(infos) > self._limits.archive_parts:
            raise _too_many(len(infos), self._limits.archive_parts)
        if any(info.compress_type not in _COMPRESSIONS for info in infos):
            raise DocumentDamaged("The file is damaged: its archive is compressed in a way that Office files are not.")
        total = sum(info.file_size for info in infos)
        if total > self._limits.inflated_bytes:
            limit = self._limits.inflated_bytes // (1024 * 1024)
            raise DocumentTooLarge(f"The file expands beyond the limit of {limit} MB.")
        if total > _RATIO_FROM and total > self._limits.inflate_ratio * max(compressed, 1):
            raise DocumentTooLarge(
                f"The file expands more than {self._limits.inflate_ratio}-fold, as archive bombs do."
            )

    def refuse_dtds(self) -> None:
        """Look at the beginning of every XML part.

        :raises DocumentRefused: a part declares a DTD. Parsers drop text after its entities silently.
        """
        for name in self.names:
            if name.lower().endswith((".xml", ".rels")):
                head = self._head(name)
                plain = head.replace(b"\0", b"")  # UTF-16 in either byte order
                if _PROLOG.match(plain.lstrip(b"\xef\xbb\xbf\xff\xfe")):
                    raise DocumentRefused("A part of the file contains a DTD, which is not accepted.")

    def _head(self, name: str) -> bytes:
        try:
            with self._zip.open(name) as part:
                return part.read(64 * 1024)
        except _BROKEN as err:
            raise DocumentDamaged(_unreadable(name)) from err

    def xml(self, name: str) -> _Element:
        """Parse one part.

        :raises DocumentDamaged: missing, not well-formed, or nested too deep.
        :raises DocumentRefused: it declares a DTD.
        """
        from lxml import etree

        parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            root = etree.fromstring(_transitional(self.read(name)), parser)
        except etree.XMLSyntaxError as err:
            raise DocumentDamaged(f"The file is damaged: its part {name} is not valid XML.") from err
        if root.getroottree().docinfo.doctype:
            raise DocumentRefused("A part of the file contains a DTD, which is not accepted.")
        if too_deep(root, self._limits.xml_depth):
            raise DocumentTooLarge(f"The file nests elements more than {self._limits.xml_depth} deep.")
        return root

    def stream(self, name: str, *tags: str) -> Iterator[_Element]:
        """Yield the elements with these tags (``{*}name``) as they end and empty each afterwards.

        For parts too large to hold. Elements within one of them are complete when it is yielded.

        :raises DocumentDamaged: missing, not well-formed, or nested too deep.
        :raises DocumentRefused: it declares a DTD.
        """
        from lxml import etree

        try:
            with self._zip.open(name) as part:
                events = etree.iterparse(
                    part, ("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
                    remove_comments=True, remove_pis=True,
                )  # fmt: skip
                first = True
                for _, element in events:
                    if first and element.getroottree().docinfo.doctype:
                        raise DocumentRefused("A part of the file contains a DTD, which is not accepted.")
                    first = False
                    yield element
                    element.clear()
                    parent = element.getparent()
                    while parent is not None and parent[0] is not element:
                        del parent[0]
        except KeyError as err:
            raise DocumentDamaged(f"The file is damaged: its part {name[:100]} is missing.") from err
        except etree.XMLSyntaxError as err:
            raise DocumentDamaged(f"The file is damaged: its part {name[:100]} is not valid XML.") from err
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as err:
            raise DocumentDamaged(_unreadable(name)) from err

    def read(self, name: str) -> bytes:
        """Inflate one part; the sizes were checked on opening and zipfile holds a part to its size."""
        try:
            return self._zip.read(name)
        except KeyError as err:
            raise DocumentDamaged(f"The file is damaged: its part {name} is missing.") from err
        except _BROKEN as err:
            raise DocumentDamaged(_unreadable(name)) from err


def _transitional(xml: bytes) -> bytes:
    """Name the namespaces of Strict Open XML as everybody else does; they differ in nothing that we read."""
    if b"http://purl.oclc.org/ooxml/" not in xml[:_DECLARED]:
        return xml
    return _STRICT.sub(_transitional_name, xml[:_DECLARED]) + xml[_DECLARED:]


def _transitional_name(strict: re.Match[bytes]) -> bytes:
    area, rest = strict.groups()
    return b'="http://schemas.openxmlformats.org/' + area + b"/2006/" + rest + b'"'


def _unreadable(name: str) -> str:
    return f"The file is damaged: its part {name[:100]} cannot be read."


def _too_many(parts: int, limit: int) -> DocumentTooLarge:
    return DocumentTooLarge(f"The file has {parts:,} parts; at most {limit:,} are accepted.")


def check_count(data: bytes, limit: int) -> None:
    """Read the number of parts from the end record, before zipfile makes an object of each."""
    end = data.rfind(_END_RECORD)
    if end >= 0 and len(data) >= end + 12:
        count = int.from_bytes(data[end + 10 : end + 12], "little")
        if count > limit:
            raise _too_many(count, limit)


def too_deep(root: _Element, limit: int) -> bool:
    """Whether elements nest deeper than ``limit``; walked without recursion."""
    depth, node = 1, root
    while True:
        if depth > limit:
            return True
        if len(node):
            node, depth = node[0], depth + 1
            continue
        while (following := node.getnext()) is None or node is root:
            parent = node.getparent()
            if node is root or parent is None:
                return False
            node, depth = parent, depth - 1
        node = following
