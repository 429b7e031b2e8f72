"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("chatapp", "knowledge")
SKIPPED = {"migrations", "node_modules", "__pycache__", "dist"}
TOP_LEVEL = {
    "manage.py", "pyproject.toml", "README.md", "chatapp", "knowledge", "templates", "tests", "Makefile", "LICENSE",
    "CHANGELOG.md", "compose.yaml", "Dockerfile", "requirements.lock", "docs",
}  # fmt: skip
LONGEST_FILE = 500
LONGEST_FUNCTION = 60


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not SKIPPED & set(path.relative_to(ROOT).parts):
                yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_top_level_is_exactly_the_house() -> None:
    first = {line.split("/", 1)[0] for line in tracked()}
    assert {entry for entry in first if not entry.startswith(".")} <= TOP_LEVEL


def test_no_package_below_tests_hides_a_real_one() -> None:
    assert [name(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_files_stay_short() -> None:
    long = {name(path): n for path in sources(*PACKAGES) if (n := len(path.read_text().splitlines())) > LONGEST_FILE}
    assert long == {}


def test_functions_stay_short() -> None:
    long = {}
    for path in sources(*PACKAGES):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long[f"{name(path)}:{node.name}"] = lines
    assert long == {}


def test_nothing_is_left_for_later() -> None:
    words = re.compile(
        r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "raise NotImplemented" + "Error")) + r")\b"
    )
    found = [name(path) for path in sources(*PACKAGES, "tests") if words.search(path.read_text())]
    assert found == []


def test_sub_packages_of_knowledge_say_what_they_export() -> None:
    silent = []
    for path in sorted((ROOT / "knowledge").glob("*/__init__.py")):
        text = path.read_text()
        if text.strip() and "__all__" not in text:
            silent.append(name(path))
    assert silent == []


# --- one-way imports: what import-linter cannot say about modules imported inside functions


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return {module.split(".", 1)[0] for module in found}


DOORS = {
    "litellm": ("knowledge/llm/",),
    "lancedb": ("knowledge/stores/lance.py",),
    "weaviate": ("knowledge/stores/weaviate.py",),
    "torch": ("chatapp/finetuning/", "chatapp/language_models/"),
}


@pytest.mark.parametrize("vendor", DOORS)
def test_one_door_for_each_vendor(vendor: str) -> None:
    through = [name(path) for path in sources(*PACKAGES) if vendor in imports(path)]
    assert [path for path in through if not path.startswith(DOORS[vendor])] == []


def test_knowledge_knows_nothing_of_chat() -> None:
    assert [name(path) for path in sources("knowledge") if "chatapp" in imports(path)] == []


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


# --- one door for requests to addresses that people type in

WAYS_OUT = re.compile(
    r"\b(import|from)\s+(requests|httpx|aiohttp|httpcore|urllib3|http\.client|ftplib|urllib\.request)\b"
    r"|\burlopen\s*\(|\burllib\.request\.|\bsocket\.create_connection\("
)
SENDERS = {
    "knowledge/egress/connection.py": "the door: it connects to checked addresses",
    "knowledge/egress/fetching.py": "the door: its function speaks through that connection",
    "knowledge/stores/weaviate.py": "names the errors of the store's client; sends nothing by itself",
    "knowledge/stores/weaviate_at_hand.py": "asks the server whose address this product wrote down whether it is ready",
    "knowledge/stores/weaviate_server.py": "asks the server that it started on loopback whether it is ready",
    "chatapp/finetuning/serving/client.py": "speaks to model servers that this product started or the operator names",
    "chatapp/operations/product.py": "asks this product's own port whether it is ready",
    "chatapp/operations/management/commands/serve.py": "asks the supervised store on loopback whether it is ready",
    "chatapp/operations/bench/product.py": "measures this product at the address that it started itself at",
    "chatapp/operations/bench/programs.py": "measures the model server that it started itself on loopback",
    "chatapp/operations/bench/client.py": "measures this product, or one the operator names on the command line",
}


def test_requests_leave_by_one_door() -> None:
    senders = {name(path) for path in sources(*PACKAGES) if WAYS_OUT.search(path.read_text())}
    assert senders - SENDERS.keys() == set()
    assert SENDERS.keys() - senders == set(), "no longer sends: take it from the list"


@pytest.mark.parametrize(
    "line",
    [
        "import requests", "    from httpx import get", "urlopen (x)", "import urllib.request as web",
        "from urllib.request import Request", "import http.client", "socket.create_connection((host, 80))",
    ],
)  # fmt: skip
def test_other_doors_would_be_seen(line: str) -> None:
    assert WAYS_OUT.search(line)
