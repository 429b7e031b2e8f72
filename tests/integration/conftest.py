"""Whole products over real engines, made-up documents in every format, and what tests ask of answers."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from chatapp.operations.bench.client import Client
from chatapp.operations.weaviate_binary import find_server

ROOT = Path(__file__).resolve().parents[2]
SHOWN_MARKER = re.compile(r"\[(\d+)\]")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.serial)


# --- products -----------------------------------------------------------------------------------


@dataclass
class Running:
    """A product under test, the store it uses, and the script of its model."""

    app: Any
    store: str
    model: Any
    client: Client
    texts: dict[tuple[str, int], str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return Path(self.app.data_dir)

    def restart(self, **environment: str) -> None:
        """Stop it and start it over the same folder, with settings added; an empty one is taken away."""
        self.app.stop()
        kept = {**self.app.environment, **environment}
        self.app.environment = {name: value for name, value in kept.items() if value}
        self.app.start(limit=240)

    def leader(self, role: str) -> psutil.Process:
        """The process that the supervisor started for a role."""
        sign = {"worker": "celery worker", "web": "uvicorn chatapp"}[role]
        found = [p for p in psutil.Process(self.app.process.pid).children() if sign in _line(p)]
        assert len(found) == 1, [_line(p) for p in found]
        return found[0]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py, or ``-c CODE``, beside the product, with the settings of its own processes."""
        command = [sys.executable, *(arguments if arguments[0] == "-c" else ("manage.py", *arguments))]
        environment = self.leader("worker").environ()
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    def logs(self) -> str:
        files = [*self.folder.glob("logs/*"), self.folder / "console.log"]
        return "\n".join(path.read_text(errors="replace") for path in files if path.is_file())

    def check_citations(self, answer: Mapping[str, Any]) -> int:
        """Every citation reproduces its quote, every marker has a citation and the other way round."""
        citations = answer["citations"]
        for citation in citations:
            key = (citation["document"], citation["version"])
            if key not in self.texts:
                self.texts[key] = self.client.text(*key)
            assert self.texts[key][citation["start"] : citation["end"]] == citation["quote"] != "", citation
        content = answer["choices"][0]["message"]["content"]
        assert {int(n) for n in SHOWN_MARKER.findall(content)} == {c["number"] for c in citations}, content
        assert "[S" not in content
        assert not re.search("[\ue000-\uf8ff]", content)
        return len(citations)


def _line(process: psutil.Process) -> str:
    return " ".join(process.cmdline()).replace(" --app chatapp.celery", "")


@pytest.fixture(scope="session", params=["lance", "weaviate"])
def product(
    request: pytest.FixtureRequest,
    live_app_factory: Callable[..., Any],
    _scripted_session: Any,
    missing_part: Callable[[str, str], NoReturn],
) -> Iterator[Running]:
    """The whole product on each store, its model the scripted one that cites what it is given."""
    settings = {
        "STORE": request.param,
        "LLM_MODEL": "openai/scripted-cite",
        "LLM_API_BASE": _scripted_session.url,
        "LLM_API_KEY": "scripted",
    }
    if request.param == "weaviate":
        binary = find_server(os.environ.get("WEAVIATE_SERVER_BIN", ""))
        if binary is None:
            missing_part("The Weaviate server", "make server-for-tests")
        settings["WEAVIATE_SERVER_BIN"] = str(binary)
    app = live_app_factory(start=False, **settings).start(limit=240)
    client = Client(url=app.url, key=app.first_run["api_key"])
    yield Running(app, request.param, _scripted_session, client)
    app.stop()


@pytest.fixture(autouse=True)
def _model_as_named(_scripted_session: Any) -> None:
    _scripted_session.reset()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Call with a function and seconds: returns its first true result, or fails."""

    def wait(condition: Callable[[], Any], *, within: float, what: str) -> Any:
        deadline = time.monotonic() + within
        while not (found := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"{what}: not within {within:.0f} s")
            time.sleep(0.2)
        return found

    return wait


@pytest.fixture(scope="session")
def processes_of() -> Callable[[Path], list[str]]:
    """Call with a data folder: the command lines of all living processes that were started for it."""

    def look(folder: Path) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if (
                    process.pid != os.getpid()
                    and process.environ().get("DATA_DIR") == str(folder)
                    or str(folder) in _line(process)
                ):
                    found.append(_line(process))
            except psutil.Error:
                continue
        return found

    return look


# --- documents ----------------------------------------------------------------------------------


def pdf_of(pages: list[list[str]]) -> bytes:
    """Write a PDF with one Helvetica line below the other on every page; ASCII without brackets."""
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for lines in pages:
        drawn = "".join(f"({line}) Tj 0 -18 Td " for line in lines)
        stream = f"BT /F1 12 Tf 72 740 Td {drawn}ET".encode("ascii")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        content = len(objects)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % content
        )
        kids.append(len(objects))
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in kids)}] /Count {len(kids)} >>".encode()
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def docx_of(heading: str, paragraphs: list[str]) -> bytes:
    import docx

    document = docx.Document()
    document.add_heading(heading, level=1)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class Sample:
    """A file, a question only it answers, and the words of the answer."""

    name: str
    data: bytes
    question: str
    answer: str
    page: int | None = None


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    """One document in each format that the first floor reads."""
    pdf = pdf_of(
        [
            ["Rules of the reading room", "", "Bags stay in the lockers beside the door.", "Pencils only, no ink."],
            ["Lending", "", "A rare atlas may be borrowed for 11 days by members of the society."],
        ]
    )
    html = (
        "<!doctype html><html><head><title>Bicycle shed</title></head><body><h1>Bicycle shed</h1>"
        "<p>The bicycle shed opens at 05:40 and is lit until midnight.</p><p>Trailers stand outside.</p></body></html>"
    )
    return [
        Sample("reading-room.pdf", pdf, "How many days may a rare atlas be borrowed?", "borrowed for 11 days", 2),
        Sample(
            "travel.docx",
            docx_of("Travel", ["Night trains are booked through the travel desk.", "A sleeper cabin costs 129 crowns."]),
            "What does a sleeper cabin cost?",
            "129 crowns",
        ),
        Sample("bicycles.html", html.encode(), "When does the bicycle shed open?", "05:40"),
        Sample(
            "leave.md",
            b"# Annual leave\n\nEvery employee has 27 days of annual leave.\n\n## Carrying over\n\n"
            b"Unused days of annual leave may be carried over until 31 March.\n",
            "How many days of annual leave does every employee have?",
            "27 days",
        ),
        Sample(
            "kitchen.txt",
            b"The kitchen on the third floor.\n\nThe dishwasher is started at 17:25 by whoever leaves last.\n",
            "When is the dishwasher started?",
            "17:25",
        ),
        Sample(
            "phones.csv",
            b"Office,Extension,Person\nHarbour master,4417,Ines Falk\nWorkshop,4420,Bo Lind\n",
            "What is the extension of the harbour master?",
            "4417",
        ),
    ]  # fmt: skip
