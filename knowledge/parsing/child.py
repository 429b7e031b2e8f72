"""The parser child: reads requests from standard input, answers on standard output.

Started by ``knowledge.parsing.sandbox`` as ``python -m knowledge.parsing.child``.
A request is a JSON frame and a frame of bytes. ``{"filename", "limits", "may_recognise", "recognised"}`` asks for
a document: the answer is a JSON frame ``{"ok": true, "grown"}`` and the document. ``{"recognise": {"media_type",
"number"}, "limits"}`` asks for the words of one page: the answer is ``{"ok": true, "grown", "page"}``.
Else it is ``{"ok": false, "code", "message"}``, or ``{"ok": false, "code": "needs_recognition", "pages"}``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from knowledge.errors import DocumentDamaged, DocumentError
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.confine import address_space, confine_process, limit_cpu, limit_memory
from knowledge.parsing.frames import encode_document, read_frame, read_json, write_frame, write_json
from knowledge.parsing.recognition import RECOGNITION_CODE, NeedsRecognition, page_to_json, pages_from_json
from knowledge.parsing.registry import detect, parser_for
from knowledge.types import ParsedDocument

MEMORY_CODE = "memory"


def main() -> None:
    """Answer requests until standard input ends."""
    requests, answers = _own_streams()
    confine_process(Path(os.environ["TMPDIR"]) if "TMPDIR" in os.environ else None)
    base = address_space()
    while True:
        try:
            request = read_json(requests)
            data = read_frame(requests)
        except EOFError:
            return
        limits = ParseLimits(**request["limits"])
        limit_memory(base + limits.memory_bytes)
        limit_cpu(limits.cpu_seconds)
        _answer(answers, data, request, limits, base)
        answers.flush()
        del data


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Take the pipes away from file descriptors 0 and 1, where a C library might print."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return requests, answers


def _answer(answers: IO[bytes], data: bytes, request: dict[str, Any], limits: ParseLimits, base: int) -> None:
    page = request.get("recognise")
    try:
        extra, payloads = _recognised(data, page) if page else _parsed(data, request, limits)
    except NeedsRecognition as err:
        write_json(answers, {"ok": False, "code": RECOGNITION_CODE, "pages": list(err.pages)})
    except DocumentError as err:
        write_json(answers, {"ok": False, "code": err.code, "message": err.message})
    except MemoryError:
        write_json(answers, {"ok": False, "code": MEMORY_CODE, "message": ""})
    except RecursionError:
        error = DocumentDamaged("The file nests its contents too deep.")
        write_json(answers, {"ok": False, "code": error.code, "message": error.message})
    except Exception as err:
        write_json(answers, {"ok": False, "code": "defect", "message": type(err).__name__})
    else:
        write_json(answers, {"ok": True, "grown": max(0, address_space() - base), **extra})
        for payload in payloads:
            write_frame(answers, payload)


Answer = tuple[dict[str, Any], Sequence[bytes | memoryview]]
"""What goes into the first frame, and the frames that follow; all of it in memory before anything is sent."""


def _parsed(data: bytes, request: dict[str, Any], limits: ParseLimits) -> Answer:
    pages = request.get("recognised")
    context = ParseContext(
        filename=request["filename"],
        limits=limits,
        may_recognise=bool(request.get("may_recognise")),
        recognised=None if pages is None else pages_from_json(pages),
    )
    return {}, encode_document(parse_in(context, data))


def _recognised(data: bytes, page: dict[str, Any]) -> Answer:
    from knowledge.parsing.ocr import recognise

    return {"page": page_to_json(recognise(data, media_type=page["media_type"], number=page["number"]))}, ()


def parse_here(data: bytes, *, filename: str, limits: ParseLimits) -> ParsedDocument:
    """Detect the type and parse, in this process, without text recognition.

    :raises DocumentError: see ``knowledge.errors``.
    """
    return parse_in(ParseContext(filename=filename, limits=limits), data)


def parse_in(context: ParseContext, data: bytes) -> ParsedDocument:
    """Detect the type and parse, in this process.

    :raises DocumentError: see ``knowledge.errors``.
    :raises NeedsRecognition: only where the context allows it.
    """
    return parser_for(detect(data, context.filename)).parse(data, context)


if __name__ == "__main__":
    sys.setrecursionlimit(2000)
    main()
