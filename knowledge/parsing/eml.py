"""E-mail messages: subject and sender, the words once, then every attachment below its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Final

from knowledge.errors import DocumentTooLarge
from knowledge.parsing.base import ParseContext
from knowledge.parsing.builder import TextBuilder
from knowledge.parsing.decode import clean, decode, decode_as
from knowledge.parsing.embedded import Enclosure, append, label
from knowledge.parsing.formats import EML, HTML
from knowledge.parsing.html import decode_html
from knowledge.parsing.mail_body import Body, choose, html_document, plain_document, unflow
from knowledge.parsing.mail_header import header_text
from knowledge.parsing.mime import Part, read_message
from knowledge.types import BlockKind, ParsedDocument

_SIGNATURES: Final = frozenset(
    ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
)
_IGNORED: Final = _SIGNATURES | {"application/applefile", "application/pgp-encrypted"}
_ENCRYPTED: Final = frozenset(("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))
_TNEF: Final = frozenset(("application/ms-tnef", "application/vnd.ms-tnef"))
_BODIES: Final = frozenset(("text/plain", "text/html"))
CONTENT_IDS: Final = re.compile(r"\bcid:([^\s\"'<>)]{1,200})")
_AS_TEXT: Final = frozenset(("message/delivery-status", "message/disposition-notification", "message/feedback-report"))


class EmlParser:
    name: ClassVar[str] = "eml"
    version: ClassVar[str] = "1"
    media_types: ClassVar[tuple[str, ...]] = (EML,)
    extensions: ClassVar[tuple[str, ...]] = (".eml",)

    def parse(self, data: bytes, context: ParseContext) -> ParsedDocument:
        if b"\n" not in data:
            data = data.replace(b"\r", b"\n")
        root = read_message(data, context.limits)
        builder = TextBuilder()
        subject = add_header(
            builder,
            subject=header_text(root.header, "subject"),
            fields=[(name, header_text(root.header, name.lower())) for name in ("From", "To", "Cc", "Date")],
        )
        reader = _Reader(data, context, Enclosure(builder=builder, context=context))
        for body in reader.bodies(root):
            append(builder, body.document, below=1)
        reader.read_attachments()
        return builder.document(
            parser=self.name,
            parser_version=self.version,
            media_type=self.media_types[0],
            title=subject,
            warnings=reader.enclosure.finish(),
        )


def add_header(builder: TextBuilder, *, subject: str, fields: list[tuple[str, str]]) -> str:
    """Add the subject as heading and the fields that are there as one paragraph; return the subject."""
    subject = " ".join(clean(subject).split())
    builder.add(BlockKind.HEADING, subject, level=1)
    lines = [f"{name}: {' '.join(clean(value).split())}" for name, value in fields if value and value.strip()]
    builder.add(BlockKind.PARAGRAPH, "\n".join(lines))
    return subject


class _Reader:
    """Sorts the parts of one message into bodies and attachments."""

    def __init__(self, data: bytes, context: ParseContext, enclosure: Enclosure) -> None:
        self.enclosure = enclosure
        self._data = data
        self._limits = context.limits
        self._attachments: list[Part] = []
        self._shown: set[str] = set()  # content ids of the pictures that HTML bodies show

    def bodies(self, part: Part) -> Iterator[Body]:
        """Yield what is to be read as the words of the message; recursion is bounded by the parts' nesting."""
        if part.type in _ENCRYPTED and part.parameter("smime-type") != "signed-data":
            self.enclosure.warn("The message is encrypted; only its header was read.")
        elif part.children and part.type == "multipart/alternative":
            yield from self._alternative(part)
        elif part.children:
            for child in part.children:
                yield from self.bodies(child)
        elif self._is_attachment(part):
            self._attachments.append(part)
        elif body := self._body(part):
            yield body

    def _alternative(self, part: Part) -> list[Body]:
        """The bodies of one alternative; attachments inside the others are kept as well."""
        known = [child for child in part.children if child.children or child.type in _BODIES or child.is_named]
        options = [list(self.bodies(child)) for child in known]
        chosen = choose([body for bodies in options for body in bodies[:1]])
        if chosen is not None:
            return next(bodies for bodies in options if bodies and bodies[0] is chosen)
        spare = (self._body(child) for child in part.children if child not in known and child.type.startswith("text/"))
        return [body for body in spare if body][:1]

    @staticmethod
    def _is_attachment(part: Part) -> bool:
        return part.is_named or not (
            part.type in _BODIES or part.type in _AS_TEXT or part.type.startswith("multipart/")
        )

    def _body(self, part: Part) -> Body | None:
        raw = part.body(self._data)
        if part.type == "text/html":
            source = decode_html(raw, declared=part.charset)
            self._shown.update(CONTENT_IDS.findall(source))
            document = html_document(source, self._limits)
            return Body(document, html=True) if document else None
        text = decode(raw, declared=part.charset)
        if part.parameter("format") == "flowed":
            text = unflow(text, delete_space=part.parameter("delsp") == "yes")
        document = plain_document(text)
        return Body(document, html=False) if document else None

    def read_attachments(self) -> None:
        """Read the attachments in order; pictures that belong to the body and signatures are left out silently."""
        for number, part in enumerate(self._attachments, start=1):
            kind = part.type
            if kind in _IGNORED or (kind.startswith("image/") and self._is_inline(part)):
                continue
            name = label(part.filename, f"attachment {number}")
            if kind in _TNEF or name.lower() == "winmail.dat":
                self.enclosure.not_read(name, "It is a container that only Outlook opens (TNEF).")
            elif kind == "message/rfc822":
                self._read_message(part, number)
            else:
                self.enclosure.add(_transcoded(part, part.body(self._data)), name=name, media_type=_stated(part))

    def _is_inline(self, part: Part) -> bool:
        if part.disposition == "attachment":
            return part.content_id in self._shown
        return part.disposition == "inline" or bool(part.content_id) or not part.filename

    def _read_message(self, part: Part, number: int) -> None:
        data = part.body(self._data)
        try:
            subject = header_text(read_message(data[: 64 * 1024], self._limits).header, "subject")
        except DocumentTooLarge:
            subject = ""
        self.enclosure.add(data, name=label(part.filename or subject, f"attached message {number}"), media_type=EML)


def _stated(part: Part) -> str:
    return HTML if part.type == "application/xhtml+xml" else part.type


def _transcoded(part: Part, data: bytes) -> bytes:
    """A text whose charset only the message states, in UTF-8."""
    if not part.type.startswith("text/") or not part.charset:
        return data
    text = decode_as(data, part.charset)
    return data if text is None else text.encode("utf-8", "replace")
