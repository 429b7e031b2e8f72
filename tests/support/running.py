"""A whole product as a test of integration holds it: restart it, look at its processes, check its answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from chatapp.operations.bench.client import Client

ROOT = Path(__file__).resolve().parents[2]
SHOWN_MARKER = re.compile(r"\[(\d+)\]")
COUNT = """
import django, json
django.setup()
from knowledge import wiring
from knowledge.documents.models import Chunk, KnowledgeBase
from knowledge.types import Scope
base = KnowledgeBase.objects.select_related("live_generation").get(pk={base!r})
scope = Scope(tenant=str(base.tenant_id), knowledge_bases=frozenset([str(base.pk)]))
held = [key for key, _, _ in wiring.store().keys(space=base.live_generation.space, scope=scope)]
rows = [str(pk) for pk in Chunk.objects.filter(version__document__knowledge_base=base).values_list("pk", flat=True)]
print(json.dumps({{"rows": sorted(rows), "records": sorted(held)}}))
wiring.reset()
"""


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
        lines = [(p, command_line(p)) for p in psutil.Process(self.app.process.pid).children()]
        found = [p for p, line in lines if sign in line and "trainer@" not in line]
        assert len(found) == 1, [command_line(p) for p in found]
        return found[0]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run manage.py, or ``-c CODE``, beside the product, with the settings of its own processes."""
        command = [sys.executable, *(arguments if arguments[0] == "-c" else ("manage.py", *arguments))]
        environment = self.leader("worker").environ()
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    def rows_and_records(self, base: str) -> tuple[list[str], list[str]]:
        """The keys of a base's chunks in the database and in the store, each sorted and with its doubles."""
        counted = self.manage("-c", COUNT.format(base=base))
        assert counted.returncode == 0, counted.stderr
        both = json.loads(counted.stdout.splitlines()[-1])
        return both["rows"], both["records"]

    def logs(self) -> str:
        return logs_of(self.folder)

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
        assert not re.search(r"\[S\d", content), content
        assert not re.search("[\ue000-\uf8ff]", content)
        return len(citations)


def logs_of(folder: Path) -> str:
    """Everything that the processes of a data folder wrote."""
    files = [*folder.glob("logs/*"), folder / "console.log"]
    return "\n".join(path.read_text(errors="replace") for path in files if path.is_file())


def last_trouble(folder: Path) -> str:
    """The last warnings, and what was logged from the last error on, a page of each."""
    lines = logs_of(folder).splitlines()
    warnings = [line for line in lines if " WARNING " in line or " again" in line][-40:]
    errors = [at for at, line in enumerate(lines) if " ERROR " in line]
    return "\n".join([*warnings, *(lines[errors[-1] : errors[-1] + 60] if errors else [])])


def command_line(process: psutil.Process) -> str:
    """Return how a process was called; nothing for one that has just ended and is not yet counted."""
    try:
        return " ".join(process.cmdline()).replace(" --app chatapp.celery", "")
    except psutil.Error:
        return ""
