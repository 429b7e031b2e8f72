"""Delete and erase a rare word: on both stores no byte of it stays in any file, and the report says so."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from made_files import docx_of, pdf_of

from chatapp.operations.bench.client import Upload

pytestmark = [pytest.mark.timeout(600)]


def forms(word: str) -> list[bytes]:
    return [word.encode(), word.encode("utf-16-le"), word.upper().encode()]


def members(name: str, data: bytes) -> Iterator[bytes]:
    """The bytes of a file as they lie there, and as its compression hides them."""
    yield data
    if name.endswith(".gz"):
        with suppress(OSError, EOFError, zlib.error):
            yield gzip.decompress(data)
    elif data[:2] == b"PK":
        with suppress(zipfile.BadZipFile, zlib.error), zipfile.ZipFile(io.BytesIO(data)) as packed:
            yield from (packed.read(member) for member in packed.namelist())


def holding(folder: Path, word: str) -> set[str]:
    """The files below a folder that hold a word, in whatever form we write texts."""
    found, wanted = set[str](), forms(word)
    for root, _folders, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            with suppress(OSError):  # an engine removed it meanwhile
                if path.is_file() and any(w in part for part in members(name, path.read_bytes()) for w in wanted):
                    found.add(str(path.relative_to(folder)))
    return found


def test_no_byte_of_erased_documents_stays(product: Any, eventually: Callable[..., Any]) -> None:
    word = f"zyxqv{product.store}wombat"
    base = product.client.knowledge_base("wombats")
    said = f"The secret word of the lighthouse keeper is {word}."
    broken = b"%PDF-1.7\n" + f"{word} ".encode() * 100_000  # above what uploads keep in memory
    kept, *rows = product.client.ingest(
        base,
        [
            Upload("kept.md", b"# Kept\n\nThe lighthouse has 88 steps.\n"),
            Upload("note.txt", said.encode()),
            Upload("letter.docx", docx_of("Letter", [said])),
            Upload("page.pdf", pdf_of([[said]])),
            Upload("broken.pdf", broken),
        ],
        limit=240,
    )
    assert [row["status"] for row in rows] == ["ready", "ready", "ready", "failed"]
    answer = product.client.ask("What is the secret word of the lighthouse keeper?", [base])
    assert any(word in citation["quote"] for citation in answer["citations"])
    assert product.client.search("secret word of the lighthouse keeper", [base])["passages"]
    before = holding(product.folder, word)
    assert any(name.startswith("files/") for name in before)
    assert any("sqlite" in name for name in before)
    assert any(name.startswith("redis/") for name in before), "the events of the answer are in Redis' log"
    for row in rows:
        product.client.call("DELETE", f"/documents/{row['id']}?erase=true&reason=canary")

    def reports() -> list[Any]:
        return [product.client.call("GET", f"/deletions/{row['id']}") for row in rows]

    eventually(lambda: all(r["gone"] and r["verified"] for r in reports()), within=120, what="all reports are closed")
    eventually(lambda: not holding(product.folder, word), within=30, what=f"no file below {product.folder} holds it")
    for report in reports()[:3]:
        counts = {p["place"]: (p["before"], p["after"]) for p in report["places"] if p["rule"] in ("gone", "kept")}
        assert counts["records"] == (1, 0)
        assert {after for _, after in counts.values()} == {0}, counts
        assert (report["erased"], report["name"], report["reason"]) == (True, "", "canary")
    assert reports()[0]["requested_by"]
    run = product.client.call("GET", f"/runs/{answer['run']}")
    assert word not in json.dumps(run)
    assert product.client.search("lighthouse steps", [base])["passages"][0]["document"] == kept["id"]
    shown = product.manage("deletion-report", rows[0]["id"], "--verify")
    assert shown.returncode == 0, shown.stderr
    assert "Nothing is left." in shown.stdout
