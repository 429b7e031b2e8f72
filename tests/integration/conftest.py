"""Whole products over real engines, made-up documents in every format, and what tests ask of answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
from made_files import docx_of, pdf_of
from running import Running, command_line, last_trouble

from chatapp.operations.bench.client import Client
from knowledge.stores.weaviate_binary import find_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.serial)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the product's own last error to what failed: its folder is gone when the session ends."""
    report = yield
    for given in getattr(item, "funcargs", {}).values() if report.failed else ():
        app = getattr(given, "app", given)
        if isinstance(getattr(app, "data_dir", None), Path):
            report.sections.append(("last error of the product", last_trouble(app.data_dir)))
    return report


# --- products -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def start_product(live_app_factory: Callable[..., Any], _scripted_session: Any) -> Callable[..., Running]:
    """Call with settings: starts a whole product whose model is the scripted one that cites what it is given."""

    def start(**settings: str) -> Running:
        model = {"LLM_MODEL": "openai/scripted-cite", "LLM_API_BASE": _scripted_session.url, "LLM_API_KEY": "scripted"}
        app = live_app_factory(start=False, **model, **settings).start(limit=240)
        client = Client(url=app.url, key=app.first_run["api_key"])
        return Running(app, settings.get("STORE", "lance"), _scripted_session, client)

    return start


@pytest.fixture(scope="session", params=["lance", "weaviate"])
def product(
    request: pytest.FixtureRequest,
    start_product: Callable[..., Running],
    missing_part: Callable[[str, str], NoReturn],
) -> Iterator[Running]:
    """The whole product on each store."""
    settings = {"STORE": request.param}
    if request.param == "weaviate":
        binary = find_server(os.environ.get("WEAVIATE_SERVER_BIN", ""))
        if binary is None:
            missing_part("The Weaviate server", "make server-for-tests")
        settings["WEAVIATE_SERVER_BIN"] = str(binary)
    running = start_product(**settings)
    yield running
    running.app.stop()


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
                    or str(folder) in command_line(process)
                ):
                    found.append(command_line(process))
            except psutil.Error:
                continue
        return found

    return look


# --- documents ----------------------------------------------------------------------------------


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
