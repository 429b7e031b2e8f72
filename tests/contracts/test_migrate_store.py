"""``manage.py migrate-store`` as an operator runs it: killed in the middle, run again, proved, the old store emptied."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from amount import of

from knowledge.stores.weaviate_server import WeaviateServer

pytestmark = [pytest.mark.serial, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS, PASSAGES = 12, 108


class Shell:
    """Runs programs over one DATA_DIR, as an operator would."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "FOOTNOTE_TEST_DATA")},
            "DATA_DIR": str(data), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}", "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "chatapp.settings", "LOG_LEVEL": "ERROR",
            "FOOTNOTE_TESTING": "0", "SECRET_KEY": "of-this-installation-and-no-other",
            **settings,
        }  # fmt: skip

    def start(self, *command: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env={**self.environment, **settings}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *command: str, **settings: str) -> tuple[int, str]:
        process = self.start(*command, **settings)
        out, _ = process.communicate(timeout=240)
        return process.returncode, out

    def migrate(self, to: str, *more: str, **settings: str) -> tuple[int, str]:
        return self.run("manage.py", "migrate-store", "--to", to, *more, **settings)


@pytest.fixture
def shell(tmp_path: Path, weaviate_server: WeaviateServer) -> Callable[..., Shell]:
    """Call with settings. ``own=True``: the command finds no server and starts the installation's own."""

    def make(*, own: bool = False) -> Shell:
        data = tmp_path / "data"
        (data / "tmp").mkdir(parents=True)
        if own:
            return Shell(data, WEAVIATE_URL="", WEAVIATE_SERVER_BIN=str(weaviate_server._binary))
        return Shell(data, WEAVIATE_URL=weaviate_server.url, WEAVIATE_GRPC_PORT=str(weaviate_server.grpc_port))

    return make


def killed_in_the_middle(shell: Shell, to: str, source: str) -> int:
    """Kill the command when it has copied some; return how many it had said."""
    process = shell.start("manage.py", "migrate-store", "--to", to, "--batch", "5", STORE=source)
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"([\d,]+) of 108 passages", line)
        if found and int(found[1]) >= 30:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
            process.stdout.close()
            return int(found[1])
    pytest.fail("it ended before it could be killed")


WAYS = [("weaviate", "lance", False), ("lance", "weaviate", False), ("lance", "weaviate", True)]


@pytest.mark.parametrize(("source", "to", "own"), of(WAYS[:1], WAYS))
def test_killed_move_goes_on_and_is_proved(shell: Callable[..., Shell], source: str, to: str, own: bool) -> None:
    operator = shell(own=own)
    code, out = operator.run("tests/support/moving_world.py", str(DOCUMENTS), STORE=source)
    assert (code, out.split()[-1:]) == (0, [str(PASSAGES)]), out
    said = killed_in_the_middle(operator, to, source)
    code, out = operator.migrate(to, "--verify-only", STORE=source)
    assert code == 1, "half a copy is no copy"
    assert "DIFFER" in out
    code, out = operator.migrate(to, STORE=source)
    print(out)
    assert code == 0, out
    copied = int(re.findall(r"([\d,]+) copied", out)[0])
    assert 0 < copied <= PASSAGES - said
    assert f"108 in {source}, 108 in {to}" in out
    assert re.search(r"40 questions asked of both: (9[5-9]|100)\.\d% of the passages", out)
    assert f"STORE={to}" in out
    code, out = operator.migrate(to, "--forget-source", STORE=source)
    assert code == 1
    assert "set to the store that would be emptied" in out
    code, out = operator.migrate(to, "--forget-source", STORE=to)
    assert (code, "108 records removed" in out) == (0, True), out
    if not own:  # its server ended with the command
        code, out = operator.run("manage.py", "reconcile", STORE=to)
        assert (code, "108 live passages, 108 records, 0 missing, 0 orphans" in out) == (0, True), out


def test_questions_of_a_set_and_a_bar_that_is_not_reached(shell: Callable[..., Shell], tmp_path: Path) -> None:
    operator = shell()
    operator.run("tests/support/moving_world.py", "2", STORE="lance")
    questions = tmp_path / "queries.jsonl"
    questions.write_text('{"text": "Who tells the keeper of pond 4?"}\n{"question": "otter 13"}\n')
    code, out = operator.migrate("weaviate", "--questions", str(questions), STORE="lance")
    assert (code, "2 questions asked of both" in out) == (0, True), out
    code, out = operator.migrate("weaviate", "--questions", str(questions), "--bar", "1.01", STORE="lance")
    assert code == 1
    assert "The copy is not the same" in out
    questions.write_text('{"answer": 1}\n')
    code, out = operator.migrate("weaviate", "--questions", str(questions), STORE="lance")
    assert code == 1
    assert "a text or a question" in out
    assert "Traceback" not in out
    code, out = operator.migrate("weaviate", SECRET_KEY="", STORE="lance")
    assert (code, "no SECRET_KEY" in out) == (1, True)
    code, out = operator.migrate("weaviate", "--tenant", "nobody", STORE="lance")
    assert (code, "no tenant 'nobody'" in out) == (1, True)
