"""E-books: the chapters in reading order, below the title and the author."""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import unquote

from knowledge.errors import DocumentDamaged, DocumentEncrypted, DocumentRefused
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.embedded import append
from knowledge.parsing.formats import EPUB
from knowledge.parsing.html import decode_html, html_tree
from knowledge.parsing.html_walker import Walker
from knowledge.parsing.ooxml import Package
from knowledge.types import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from lxml.etree import _Element
    from selectolax.lexbor import LexborNode

_FONT_OBFUSCATION: Final = frozenset(("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"))
_PAGES: Final = (".xhtml", ".html", ".htm", ".xml")
_PAGE_TYPES: Final = frozenset(
    ("application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/xml", "text/xml")
)
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[>]*\[", re.IGNORECASE)
_ROOT = re.compile(r"<html\b", re.IGNORECASE)
_PROLOG = 20_000  # characters
_EMPTY_ELEMENT = re.compile(r"<([a-zA-Z][\w:.-]*+)([^<>]*+)(?<=/)>")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split(" "))
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_TITLE_WITHIN = 5_000  # characters from the start in which a book says its own title
_NAMED = 3  # missing chapters named in a warning


class EpubParser:
    name: ClassVar[str] = "epub"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (EPUB,)
    extensions: ClassVar[tuple[str, ...]] = (".epub",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        book = _Book(Package(data, context.limits))
        chapters = TextBuilder()
        walker = Walker(chapters, context.limits.cells)
        for name in book.chapters():
            root = html_tree(_source(book.package.read(name)), context.limits).body
            if root is not None and not (name in book.contents and _is_contents(root)):
                walker.walk(root)
        if not len(chapters) and book.missing:
            raise DocumentDamaged("The file is damaged: the chapters it names are not in it.")
        text = chapters.document(parser=self.name, parser_version=self.version, media_type=EPUB, title=None)
        builder = TextBuilder()
        _add_title(builder, book, text.text)
        append(builder, text)
        return builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=EPUB,
            title=book.title,
            warnings=book.warnings(),
        )


class _Book:
    """The package document: title, authors, and the chapters of the spine."""

    def __init__(self, package: Package) -> None:
        self.package = package
        path = _package_document(package)
        self._folder = posixpath.dirname(path)
        self._root = package.xml(path)
        self.missing: list[str] = []
        self.title = " ".join(next(self._metadata("title"), "").split())
        self.authors = [author for found in self._metadata("creator") if (author := " ".join(found.split()))]
        items = [element for element in self._all("item") if element.get("id")]
        self._items = {str(item.get("id")): item for item in items}
        references = [one for one in self._all("reference") if (one.get("type") or "").lower() == "toc"]
        self.contents = {self._path(one) for one in references if "#" not in (one.get("href") or "#")}
        self._refuse_encrypted()

    def _all(self, name: str) -> Iterator[_Element]:
        found: Iterator[_Element] = self._root.iter("{*}" + name)
        return found

    def _metadata(self, name: str) -> Iterator[str]:
        metadata = next(self._all("metadata"), self._root)
        return ("".join(element.itertext()) for element in metadata.iter("{*}" + name))

    def _path(self, item: _Element) -> str:
        """Where an item lies in the archive; only ever looked up among its names."""
        href = unquote((item.get("href") or "").partition("#")[0])
        return posixpath.normpath(posixpath.join(self._folder, href))

    def chapters(self) -> Iterator[str]:
        """Yield the parts in reading order, each once, without the table of contents."""
        seen = set()
        for reference in self._all("itemref"):
            item = self._items.get(reference.get("idref") or "")
            path = self._path(item) if item is not None else str(reference.get("idref"))
            if path in seen:
                continue
            seen.add(path)
            if path not in self.package.names:
                self.missing.append(path)
            elif item is not None and _is_page(item, path) and "nav" not in (item.get("properties") or "").split():
                yield path

    def warnings(self) -> tuple[str, ...]:
        if not self.missing:
            return ()
        named = ", ".join(name[:60] for name in self.missing[:_NAMED])
        more = f" and {len(self.missing) - _NAMED:,} more" if len(self.missing) > _NAMED else ""
        return (f"Chapters are missing in the file: {named}{more}.",)

    def _refuse_encrypted(self) -> None:
        name = "META-INF/encryption.xml"
        if name not in self.package.names:
            return
        for data in self.package.xml(name).iter("{*}EncryptedData"):
            method = next(data.iter("{*}EncryptionMethod"), None)
            algorithm = (method.get("Algorithm") or "") if method is not None else ""
            uris = [str(one.get("URI") or "") for one in data.iter("{*}CipherReference")]
            if algorithm not in _FONT_OBFUSCATION and any(uri.lower().endswith(_PAGES) for uri in uris):
                raise DocumentEncrypted("The book is protected against copying (DRM), so its text cannot be read.")


def _package_document(package: Package) -> str:
    """The path that the container names; without a container, the only package document there is."""
    if "META-INF/container.xml" in package.names:
        for rootfile in package.xml("META-INF/container.xml").iter("{*}rootfile"):
            path = posixpath.normpath(unquote(rootfile.get("full-path") or ""))
            if path in package.names:
                return path
    found = [name for name in package.names if name.lower().endswith(".opf")]
    if len(found) != 1:
        raise DocumentDamaged("The file is damaged: it does not say where its chapters are.")
    return found[0]


def _is_page(item: _Element, path: str) -> bool:
    return (item.get("media-type") or "").lower() in _PAGE_TYPES or path.lower().endswith(_PAGES)


def _source(data: bytes) -> str:
    """A chapter as HTML that means the same: XHTML may close elements at once, and escape text in CDATA sections.

    :raises DocumentRefused: it declares entities of its own, whose text would be lost.
    """
    source = decode_html(data)
    if doctype := _DOCTYPE.search(source, 0, _PROLOG):
        root = _ROOT.search(source, doctype.end())
        subset = source[doctype.end() : root.start() if root else None]
        if "<!ENTITY" in subset.upper():
            raise DocumentRefused("A chapter of the book declares entities in a DTD, which is not accepted.")
        source = source[root.start() if root else doctype.end() :]
    source = _CDATA.sub(lambda match: html.escape(match.group(1)), source)
    return _EMPTY_ELEMENT.sub(_opened, source)


def _opened(match: re.Match[str]) -> str:
    name, rest = match.groups()
    if name.lower() in _VOID:
        return match.group()
    return f"<{name}{rest[:-1]}></{name}>"


def _is_contents(body: LexborNode) -> bool:
    """Whether most of the words are links: what the book calls its contents may be more than that."""
    links = sum(len(link.text().split()) for link in body.css("a"))
    return links * 2 >= len(body.text(separator=" ").split())


def _add_title(builder: TextBuilder, book: _Book, text: str) -> None:
    """Add title and author where the chapters do not say them."""
    folded = " ".join(text.casefold().split())
    if book.title and book.title.casefold() not in folded[:_TITLE_WITHIN]:
        builder.add(BlockKind.TITLE, book.title)
    authors = [author for author in book.authors if author.casefold() not in folded]
    if authors:
        builder.add(BlockKind.PARAGRAPH, f"By {', '.join(authors)}")
