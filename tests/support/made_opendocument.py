"""OpenDocument files (ODT, ODP) written part by part, so that a test can make any of them odd."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_URN = "urn:oasis:names:tc:opendocument:xmlns:"
_PREFIXES = {
    "office": "office", "text": "text", "table": "table", "draw": "drawing", "style": "style", "svg": "svg-compatible",
    "presentation": "presentation", "chart": "chart", "manifest": "manifest", "meta": "meta",
}  # fmt: skip
SPACES = " ".join(f'xmlns:{prefix}="{_URN}{name}:1.0"' for prefix, name in _PREFIXES.items()) + (
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
)
TYPES = {kind: f"application/vnd.oasis.opendocument.{kind}" for kind in ("text", "presentation", "spreadsheet")}


def content(body: str, kind: str = "text", styles: str = "") -> str:
    return (
        f"<office:document-content {SPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )


def package(parts: Mapping[str, str], mimetype: str | None, manifest: str = "") -> bytes:
    """The parts with their manifest, whose entries are ``manifest``; without ``mimetype`` as any program zips them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        if mimetype:
            target.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        entries = f"<manifest:manifest {SPACES}>{manifest}</manifest:manifest>"
        for name, body in {"META-INF/manifest.xml": entries, **parts}.items():
            target.writestr(name, body)
    return out.getvalue()


def odt(body: str, styles: str = "", *, styles_part: str = "", meta: str = "") -> bytes:
    """A text with automatic ``styles``."""
    return _with({"content.xml": content(body, "text", styles)}, "text", styles_part, meta)


def odp(*pages: str, styles: str = "", styles_part: str = "", meta: str = "") -> bytes:
    """A presentation with a slide for each of ``pages``."""
    drawn = "".join(page if page.startswith("<draw:page") else f"<draw:page>{page}</draw:page>" for page in pages)
    return _with({"content.xml": content(drawn, "presentation", styles)}, "presentation", styles_part, meta)


def _with(parts: dict[str, str], kind: str, styles: str, meta: str) -> bytes:
    more = {name: part for name, part in (("styles.xml", styles), ("meta.xml", meta)) if part}
    return package({**parts, **more}, TYPES[kind])


def p(text: str, style: str = "") -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>' if style else f"<text:p>{text}</text:p>"


def annotation(author: str, text: str) -> str:
    return f"<office:annotation><dc:creator>{author}</dc:creator><dc:date>2024</dc:date>{p(text)}</office:annotation>"


def items(*entries: str, style: str = "L1", attributes: str = "") -> str:
    found = "".join(
        f"<text:list-item>{entry if entry.startswith('<') else p(entry)}</text:list-item>" for entry in entries
    )
    named = f'text:style-name="{style}"' if style else ""
    return f"<text:list {named} {attributes}>{found}</text:list>"


def cell(text: str = "", attributes: str = "", tag: str = "table-cell") -> str:
    return f"<table:{tag} {attributes}>{p(text) if text else ''}</table:{tag}>"


def covered(attributes: str = "") -> str:
    return cell("", attributes, "covered-table-cell")


def table(*rows: str, attributes: str = "") -> str:
    found = "".join(
        row if row.startswith("<table:table-row") else f"<table:table-row>{row}</table:table-row>" for row in rows
    )
    return f"<table:table {attributes}>{found}</table:table>"


def box(text: str, at: tuple[str, str] | None = None, attributes: str = "") -> str:
    """A frame with a text box; ``at`` with units: ("1cm", "2in")."""
    place = f'svg:x="{at[0]}" svg:y="{at[1]}"' if at else ""
    inner = text if text.startswith("<") else p(text)
    return f"<draw:frame {place} {attributes}><draw:text-box>{inner}</draw:text-box></draw:frame>"
