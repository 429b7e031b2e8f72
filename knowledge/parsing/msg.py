"""Outlook messages (MSG, [MS-OXMSG]): the same words in the same order as a mail in a text file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from knowledge.errors import DocumentDamaged, DocumentError, UnsupportedFormat
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.decode import clean, decode
from knowledge.parsing.embedded import Enclosure, append, label
from knowledge.parsing.eml import CONTENT_IDS, add_header
from knowledge.parsing.formats import MSG, RTF
from knowledge.parsing.html import decode_html
from knowledge.parsing.mail_body import Body, choose, html_document, plain_document
from knowledge.parsing.ole import Compound, Entry
from knowledge.parsing.registry import parser_for
from knowledge.parsing.rtf_compressed import decompress_rtf
from knowledge.types import ParsedDocument

SUBJECT, BODY, HTML_BODY, RTF_BODY = 0x0037, 0x1000, 0x1013, 0x1009
SENDER_NAME, SENDER_ADDRESS, SENDER_SMTP, SENT_FOR = 0x0C1A, 0x0C1F, 0x5D01, 0x0042
TO, CC, SENT, DELIVERED = 0x0E04, 0x0E03, 0x0039, 0x0E06
NAME, ADDRESS, SMTP, RECIPIENT_TYPE = 0x3001, 0x3003, 0x39FE, 0x0C15
LONG_FILENAME, FILENAME, DATA, MIME_TYPE, CONTENT_ID, METHOD = 0x3707, 0x3704, 0x3701, 0x370E, 0x3712, 0x3705
HTML_CODE_PAGE, CODE_PAGE = 0x3FDE, 0x3FFD
_EMBEDDED_MESSAGE: Final = 5
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_CODE_PAGES = {65001: "utf-8", 1200: "utf-16-le", 20127: "ascii", 28591: "latin-1", 50220: "iso-2022-jp",
               51932: "euc_jp", 936: "gb18030", 20866: "koi8_r"}  # fmt: skip


class MsgParser:
    name: ClassVar[str] = "msg"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (MSG,)
    extensions: ClassVar[tuple[str, ...]] = (".msg",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        compound = Compound(data, context.limits)
        if "__properties_version1.0" not in compound.root.children:
            raise DocumentDamaged("The file is damaged: it holds no Outlook message.")
        return _Message(compound, compound.root, context).document()


@dataclass(slots=True)
class _Properties:
    """The properties of a message, a recipient or an attachment."""

    compound: Compound
    storage: Entry
    header: int  # bytes before the first fixed property
    charset: str = ""  # of texts that are not in UTF-16
    table: bytes = b""  # the fixed properties

    def __post_init__(self) -> None:
        entry = self.storage.children.get("__properties_version1.0")
        self.table = self.compound.read(entry) if entry and not entry.is_storage else b""
        page = self.number(CODE_PAGE)
        self.charset = self.charset if page is None else _charset(page)

    def text(self, *ids: int) -> str:
        """The first of these properties that holds text."""
        for number in ids:
            if entry := self._stream(number, 0x001F):
                found = self.compound.read(entry).decode("utf-16-le", errors="replace")
            elif entry := self._stream(number, 0x001E):
                found = decode(self.compound.read(entry), declared=self.charset or None)
            else:
                continue
            if found := found.replace("\0", "").strip("\r\n"):
                return found
        return ""

    def binary(self, number: int) -> bytes:
        entry = self._stream(number, 0x0102)
        return self.compound.read(entry) if entry else b""

    def number(self, number: int) -> int | None:
        """A fixed property as an unsigned number: integers as they are, times in units of 100 nanoseconds."""
        table, wanted = self.table, number.to_bytes(2, "little")
        for at in range(self.header, len(table) - 15, 16):
            if table[at + 2 : at + 4] == wanted:
                size = 8 if table[at : at + 2] == b"\x40\0" else 4
                return int.from_bytes(table[at + 8 : at + 8 + size], "little")
        return None

    def _stream(self, number: int, kind: int) -> Entry | None:
        entry = self.storage.children.get(f"__substg1.0_{number:04X}{kind:04X}")
        return entry if entry and not entry.is_storage else None


def _charset(page: int) -> str:
    return _CODE_PAGES.get(page) or f"cp{page}"


class _Message:
    """Reads one message; those attached to it lie in the same file."""

    def __init__(self, compound: Compound, storage: Entry, context: ParseContext) -> None:
        self._compound = compound
        self._storage = storage
        self._limits = context.limits
        self._builder = TextBuilder()
        self._enclosure = Enclosure(builder=self._builder, context=context)

    def document(self) -> ParsedDocument:
        is_root = self._storage is self._compound.root
        message = _Properties(self._compound, self._storage, 32 if is_root else 24)
        subject = add_header(self._builder, subject=message.text(SUBJECT), fields=self._fields(message))
        body, shown = self._body(message)
        if body:
            append(self._builder, body.document, below=1)
        for number, entry in enumerate(_numbered(self._storage, "__attach_version1.0_#"), start=1):
            self._attachment(_Properties(self._compound, entry, 8, message.charset), number, shown)
        return self._builder.document(
            parser=MsgParser.name,
            parser_version=MsgParser.version,
            media_type=MSG,
            title=subject,
            warnings=self._enclosure.finish(),
        )

    def _fields(self, message: _Properties) -> list[tuple[str, str]]:
        people: dict[int, list[str]] = {}
        for entry in _numbered(message.storage, "__recip_version1.0_#"):
            one = _Properties(self._compound, entry, 8, message.charset)
            person = _person(one.text(NAME), one.text(SMTP, ADDRESS))
            people.setdefault(one.number(RECIPIENT_TYPE) or 1, []).append(person)
        sender = _person(message.text(SENDER_NAME, SENT_FOR), message.text(SENDER_SMTP, SENDER_ADDRESS))
        sent = message.number(SENT) or message.number(DELIVERED)
        return [
            ("From", sender),
            ("To", ", ".join(people.get(1, ())) or message.text(TO)),
            ("Cc", ", ".join(people.get(2, ())) or message.text(CC)),
            ("Date", _date(sent)),
        ]

    def _body(self, message: _Properties) -> tuple[Body | None, set[str]]:
        """The words of the message, and the content ids of the pictures shown between them."""
        bodies: list[Body] = []
        if plain := plain_document(clean(message.text(BODY))):
            bodies.append(Body(plain, html=False))
        page = message.number(HTML_CODE_PAGE)
        source = message.text(HTML_BODY)
        if raw := message.binary(HTML_BODY):
            source = decode_html(raw, declared=_charset(page) if page else None)
        source = clean(source)
        if source and (html := html_document(source, self._limits)):
            bodies.append(Body(html, html=True))
        if not bodies and (rich := self._rich(message.binary(RTF_BODY))):
            bodies.append(Body(rich, html=False))
        return choose(bodies), set(CONTENT_IDS.findall(source))

    def _rich(self, compressed: bytes) -> ParsedDocument | None:
        if not compressed:
            return None
        try:
            data = decompress_rtf(compressed, limit=self._limits.inflated_bytes)
            return parser_for(RTF).parse(data, self._enclosure.context)
        except UnsupportedFormat:
            self._enclosure.warn("The message is written in Rich Text only, which is not read.")
        except DocumentError as err:
            self._enclosure.warn(f"The text of the message was not read: {err.message}")
        return None

    def _attachment(self, properties: _Properties, number: int, shown: set[str]) -> None:
        name = label(properties.text(LONG_FILENAME, FILENAME, NAME), f"attachment {number}")
        embedded = properties.storage.children.get(f"__substg1.0_{DATA:04X}000D")
        if embedded is not None and embedded.is_storage:
            if properties.number(METHOD) not in (None, _EMBEDDED_MESSAGE):
                self._enclosure.not_read(name, "It is an object of another program.")
                return
            self._enclosure.enclose(name, lambda context: _Message(self._compound, embedded, context).document())
            return
        content_id = properties.text(CONTENT_ID).strip("<> ")
        if content_id and content_id in shown:
            return
        kind = properties.text(MIME_TYPE).lower()
        self._enclosure.add(lambda: properties.binary(DATA), name=name, media_type=kind)


def _numbered(storage: Entry, prefix: str) -> Iterator[Entry]:
    """The storages of that kind in the order of their numbers."""
    for name in sorted(name for name in storage.children if name.startswith(prefix)):
        if storage.children[name].is_storage:
            yield storage.children[name]


def _person(name: str, address: str) -> str:
    if not name or not address or name == address:
        return name or address
    return f"{name} <{address}>" if "@" in address else name  # Exchange's own addresses say nothing to people


def _date(moment: int | None) -> str:
    if not moment or moment >> 63:
        return ""
    try:
        return (_EPOCH + timedelta(microseconds=moment // 10)).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError):
        return ""
