from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from chatapp.operations.bench import parsing, pdfs
from chatapp.operations.bench.highlights import Highlights
from chatapp.operations.bench.parsing import FileResult, Parsing, Speed
from chatapp.operations.bench.report import Report


def folder(path: Path) -> Path:
    """A collection of three files: one as expected, one refused as expected, one with a missing snippet."""
    office = path / "office"
    office.mkdir()
    (office / "page.pdf").write_bytes(pdfs.document([pdfs.line("The fee is due in spring.", 72, 700)] * 2))
    (office / "plain.txt").write_text("Some words of a plain file.")
    (office / "noise.pdf").write_bytes(bytes(range(256)) * 4)
    rows: list[dict[str, Any]] = [
        {
            "file": "page.pdf",
            "format": "pdf",
            "expect": "ok",
            "snippets": [{"text": "due in spring", "place": 2}],
            "pages": 2,
        },
        {"file": "plain.txt", "format": "txt", "expect": "ok", "snippets": [{"text": "other words", "place": None}]},
        {"file": "noise.pdf", "format": "pdf", "expect": "unreadable", "snippets": []},
    ]
    (office / "expected.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return path


def test_files_speed_and_highlights_are_measured(tmp_path: Path) -> None:
    said: list[str] = []
    found = parsing.measure(folder(tmp_path) / "office", say=said.append, book_pages=4)
    assert [(one.file, one.unmet) for one in found.files] == [
        ("page.pdf", []), ("plain.txt", ["missing: other words"]), ("noise.pdf", []),
    ]  # fmt: skip
    assert [bool(one.refused) for one in found.files] == [False, False, True]
    pdf, txt, book = found.speeds
    assert (pdf.name, pdf.files, pdf.pages) == ("pdf", 1, 2)
    assert 0 < txt.pages < 1  # no pages: by characters
    assert (book.name, book.pages) == ("pdf, a book of 4 pages", 4)
    assert book.pages_per_second > 1
    assert 10 * 2**20 < book.peak < 400 * 2**20
    assert found.highlights.ranges == parsing.RANGES
    assert (found.highlights.wrong, found.highlights.unboxed) == (0, 0)
    assert found.highlights.share >= 0.99
    assert said


def test_without_a_folder_the_made_up_pdfs_are_measured() -> None:
    found = parsing.measure(None, say=lambda _: None, book_pages=0)
    assert found.files == found.speeds == []
    assert found.highlights.share >= 0.99


def test_the_command_measures_parsing_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "measure", lambda folder, *, say: Parsing(highlights=Highlights(ranges=3, equal=3)))
    out = StringIO()
    call_command("bench", "--parsing", "--no-data", "--json", str(tmp_path / "figures.json"), stdout=out)
    assert "Highlights: 3 ranges, 100.0 % equal" in out.getvalue()
    assert "Start:" not in out.getvalue()
    assert json.loads((tmp_path / "figures.json").read_text())["parsing"]["highlights"]["ranges"] == 3


def test_the_report_names_what_is_unmet() -> None:
    files = [
        FileResult(file="a.pdf", format="pdf", expect="ok", unmet=["missing: x", "2 pages instead of 3"], refused="", seconds=0.5),
        FileResult(file="b.pdf", format="pdf", expect="password", unmet=[], refused="It has a password.", seconds=0.1),
    ]  # fmt: skip
    speeds = [Speed(name="pdf", files=1, pages=30, seconds=0.5, processor=0.3, peak=50 * 2**20)]
    text = "\n".join(Report(parsing=Parsing(files=files, speeds=speeds)).lines())
    assert "Parsing: 1 of 2 files as expected" in text
    assert "missing: x; 2 pages instead of 3" in text
    assert "rightly refused" in text
    assert next(line.split() for line in text.splitlines() if line.endswith("50")) == [
        "pdf",
        "1",
        "30",
        "60",
        "100",
        "50",
    ]


def test_no_time_at_all_is_no_speed() -> None:
    none = Speed(name="x", files=0, pages=3, seconds=0, processor=0, peak=0)
    assert none.pages_per_second == none.pages_per_processor_second == 0
