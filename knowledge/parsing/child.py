"""The parser child: reads requests from standard input, answers on standard output.

Started by ``knowledge.parsing.sandbox`` as ``python -m knowledge.parsing.child``.
A request is a JSON frame ``{"filename", "limits"}`` and a frame of bytes. The answer is a JSON frame
``{"ok": true, "size"}`` and a document, or ``{"ok": false, "code", "message"}``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO

from knowledge.errors import DocumentDamaged, DocumentError
from knowledge.parsing.base import ParseContext, ParseLimits
from knowledge.parsing.confine import address_space, confine_process, limit_cpu, limit_memory
from knowledge.parsing.frames import encode_document, read_frame, read_json, write_frame, write_json
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
        _answer(answers, data, request["filename"], limits, base)
        answers.flush()
        del data


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Take the pipes away from file descriptors 0 and 1, where a C library might print."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    return requests, answers


def _answer(answers: IO[bytes], data: bytes, filename: str, limits: ParseLimits, base: int) -> None:
    try:
        payloads = encode_document(parse_here(data, filename=filename, limits=limits))
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
        write_json(answers, {"ok": True, "grown": max(0, address_space() - base)})
        for payload in payloads:
            write_frame(answers, payload)


def parse_here(data: bytes, *, filename: str, limits: ParseLimits) -> ParsedDocument:
    """Detect the type and parse, in this process.

    :raises DocumentError: see ``knowledge.errors``.
    """
    parser = parser_for(detect(data, filename))
    return parser.parse(data, ParseContext(filename=filename, limits=limits))


if __name__ == "__main__":
    sys.setrecursionlimit(2000)
    main()
