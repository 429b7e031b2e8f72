"""The formats we know by name, and the plug-in that reads each. A format without one is refused by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TEXT: Final = "text/plain"
MARKDOWN: Final = "text/markdown"
RST: Final = "text/x-rst"
HTML: Final = "text/html"
CSV: Final = "text/csv"
JSON: Final = "application/json"
JSONL: Final = "application/jsonl"
NOTEBOOK: Final = "application/x-ipynb+json"
VTT: Final = "text/vtt"
SRT: Final = "application/x-subrip"
SOURCE: Final = "text/x-source"
RTF: Final = "application/rtf"
EML: Final = "message/rfc822"
MSG: Final = "application/vnd.ms-outlook"
PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX: Final = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOC: Final = "application/msword"
PPT: Final = "application/vnd.ms-powerpoint"
XLS: Final = "application/vnd.ms-excel"
ODT: Final = "application/vnd.oasis.opendocument.text"
ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
ODP: Final = "application/vnd.oasis.opendocument.presentation"
EPUB: Final = "application/epub+zip"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
BMP: Final = "image/bmp"
WEBP: Final = "image/webp"

SLIDES: Final = frozenset({PPTX, ODP, PPT})
"""Formats whose pages people call slides."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format: how people name it, and who reads it."""

    media_type: str
    name: str  # short, for lists: "PPTX"
    label: str  # with its article, for sentences: "a presentation (PPTX)"
    extensions: tuple[str, ...]  # lower case, with the dot
    parser: str = ""  # "module.Class" in this folder; empty: known, not read


_SOURCE_EXTENSIONS = tuple(
    ".py .pyi .js .mjs .cjs .jsx .ts .tsx .vue .svelte .java .kt .kts .scala .groovy .gradle .c .h .cc .cpp .cxx .hh "
    ".hpp .cs .fs .vb .go .rs .swift .m .mm .rb .php .pl .pm .lua .r .jl .dart .ex .exs .erl .hs .ml .clj .lisp .el "
    ".pas .asm .s .f90 .sh .bash .zsh .fish .ps1 .bat .cmd .sql .graphql .proto .thrift .tf .hcl .yaml .yml .toml "
    ".ini .cfg .conf .properties .css .scss .less .xml .xsd .xsl .xslt .cmake .mk .tex .bib .diff .patch".split(" ")
)

FORMATS: Final = (
    Format(PDF, "PDF", "a PDF document", (".pdf",), "pdf.PdfParser"),
    Format(DOCX, "DOCX", "a Word document (DOCX)", (".docx", ".docm", ".dotx"), "docx.DocxParser"),
    Format(PPTX, "PPTX", "a presentation (PPTX)", (".pptx", ".pptm", ".ppsx", ".potx"), "pptx.PptxParser"),
    Format(XLSX, "XLSX", "a spreadsheet (XLSX)", (".xlsx", ".xlsm", ".xltx"), "xlsx.XlsxParser"),
    Format(ODT, "ODT", "an OpenDocument text (ODT)", (".odt", ".ott"), "odt.OdtParser"),
    Format(ODS, "ODS", "an OpenDocument spreadsheet (ODS)", (".ods", ".ots"), "ods.OdsParser"),
    Format(ODP, "ODP", "an OpenDocument presentation (ODP)", (".odp", ".otp"), "odp.OdpParser"),
    Format(XLS, "XLS", "an old binary spreadsheet (XLS)", (".xls", ".xlt"), "xls.XlsParser"),
    Format(RTF, "RTF", "a Rich Text document (RTF)", (".rtf",), "rtf.RtfParser"),
    Format(EPUB, "EPUB", "an e-book (EPUB)", (".epub",), "epub.EpubParser"),
    Format(HTML, "HTML", "an HTML page", (".html", ".htm", ".xhtml"), "html.HtmlParser"),
    Format(MARKDOWN, "Markdown", "Markdown", (".md", ".markdown", ".mdown", ".mkd"), "markdown.MarkdownParser"),
    Format(RST, "reStructuredText", "reStructuredText", (".rst", ".rest"), "rst.RstParser"),
    Format(CSV, "CSV", "a CSV table", (".csv", ".tsv"), "csv.CsvParser"),
    Format(JSON, "JSON", "JSON data", (".json", ".geojson"), "json_data.JsonParser"),
    Format(JSONL, "JSON Lines", "JSON Lines data", (".jsonl", ".ndjson"), "json_data.JsonLinesParser"),
    Format(NOTEBOOK, "notebooks", "a notebook (IPYNB)", (".ipynb",), "ipynb.NotebookParser"),
    Format(EML, "EML", "an e-mail message (EML)", (".eml",), "eml.EmlParser"),
    Format(MSG, "MSG", "an Outlook message (MSG)", (".msg",), "msg.MsgParser"),
    Format(VTT, "WebVTT", "a caption file (WebVTT)", (".vtt",), "captions.WebVttParser"),
    Format(SRT, "SRT", "a subtitle file (SRT)", (".srt",), "captions.SrtParser"),
    Format(SOURCE, "source code", "source code", _SOURCE_EXTENSIONS, "source.SourceParser"),
    Format(TEXT, "plain text", "plain text", (".txt", ".text", ".log"), "text.TextParser"),
    Format(PNG, "PNG", "a PNG picture", (".png",), "image.ImageParser"),
    Format(JPEG, "JPEG", "a JPEG picture", (".jpg", ".jpeg"), "image.ImageParser"),
    Format(TIFF, "TIFF", "a TIFF picture", (".tif", ".tiff"), "image.ImageParser"),
    Format(BMP, "BMP", "a BMP picture", (".bmp",), "image.ImageParser"),
    Format(WEBP, "WebP", "a WebP picture", (".webp",), "image.ImageParser"),
    Format(DOC, "DOC", "an old binary Word document (DOC)", (".doc", ".dot")),
    Format(PPT, "PPT", "an old binary presentation (PPT)", (".ppt", ".pps")),
)

BY_MEDIA_TYPE: Final = {known.media_type: known for known in FORMATS}
BY_EXTENSION: Final = {extension: known for known in FORMATS for extension in known.extensions}


def supported() -> str:
    """Name every format that is read, in one sentence."""
    names = [known.name for known in FORMATS if known.parser]
    return f"Supported are {', '.join(names[:-1])} and {names[-1]}."
