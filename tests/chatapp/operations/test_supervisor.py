"""The supervisor under real signals, in a process of its own: it changes how the kernel treats its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[3]

HARNESS = """
import sys
from pathlib import Path
from chatapp.operations.processes import Program
from chatapp.operations.supervisor import StartFailed, Supervisor

folder = Path(sys.argv[1])
def say(text):
    print(text, flush=True)
def program(name, script, grace=3.0):
    return Program(name=name, command=[sys.executable, "-S", "-c", script], environment={"PATH": "/usr/bin:/bin"},
                   directory=folder, grace=grace)
supervisor = Supervisor(logs=folder / "logs", say=say)
try:
    for name, script in zip(sys.argv[2::2], sys.argv[3::2]):
        supervisor.start(program(name, script))
    supervisor.run(ready=lambda: (folder / "ready").exists(), on_ready=lambda: say("READY"))
except StartFailed as error:
    say(f"FAILED {error}")
except KeyboardInterrupt:
    say("INTERRUPTED")
finally:
    supervisor.stop(last=["engine"])
say("STOPPED")
"""
SLEEP = "import time; open('{name}.pid', 'w').write(str(__import__('os').getpid())); time.sleep(60)"


class Supervised:
    """A running harness and what it said."""

    def __init__(self, folder: Path, programs: dict[str, str]) -> None:
        self.folder = folder
        arguments = [part for item in programs.items() for part in item]
        self.process = subprocess.Popen(
            [sys.executable, "-c", HARNESS, str(folder), *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def pid_of(self, name: str, *, not_pid: int = 0) -> int:
        def read() -> int:
            path = self.folder / f"{name}.pid"
            return int(path.read_text() or 0) if path.exists() else 0

        wait_for(lambda: read() not in (0, not_pid))
        return read()

    def finish(self) -> str:
        """Wait for the end and return everything that was said."""
        return self.process.communicate(timeout=20)[0]


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(**programs: str) -> Supervised:
        started.append(Supervised(tmp_path, {k: v.replace("{name}", k) for k, v in programs.items()}))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_every_child(supervise: Callable[..., Supervised], number: int) -> None:
    running = supervise(web=SLEEP, engine=SLEEP)
    pids = [running.pid_of("web"), running.pid_of("engine")]
    running.process.send_signal(number)
    assert running.finish().endswith("STOPPED\n")
    assert all(gone(pid) for pid in pids)


def test_engines_end_after_the_programs_that_use_them(supervise: Callable[..., Supervised]) -> None:
    script = (
        "import os, signal, sys, time\n"
        "def end(*_):\n"
        "    open('order', 'a').write('{name} '); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); open('{name}.pid', 'w').write(str(os.getpid())); time.sleep(60)"
    )
    running = supervise(engine=script, web=script)
    running.pid_of("engine"), running.pid_of("web")
    running.process.send_signal(signal.SIGTERM)
    running.finish()
    assert (running.folder / "order").read_text() == "web engine "


def test_crashed_program_is_started_again_and_said_in_one_line(supervise: Callable[..., Supervised]) -> None:
    running = supervise(worker=SLEEP)
    (running.folder / "ready").touch()
    first = running.pid_of("worker")
    os.kill(first, signal.SIGKILL)
    second = running.pid_of("worker", not_pid=first)
    running.process.send_signal(signal.SIGTERM)
    said = running.finish()
    assert said.count("worker ended (signal 9); starting it again in 1 s") == 1
    assert gone(second)


def test_children_of_a_crashed_program_do_not_outlive_it(supervise: Callable[..., Supervised]) -> None:
    """A pool process in the session, and a parser in a session of its own, when their leader is killed."""
    script = (
        "import os, subprocess, sys, time\n"
        "if not os.path.exists('pool.pid'):\n"
        "    for name, own in (('pool', False), ('parser', True)):\n"
        "        p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'], start_new_session=own)\n"
        "        open(name + '.pid', 'w').write(str(p.pid))\n"
        "open('{name}.pid', 'w').write(str(os.getpid())); time.sleep(60)"
    )
    running = supervise(worker=script)
    leader, pool, parser = running.pid_of("worker"), running.pid_of("pool"), running.pid_of("parser")
    os.kill(leader, signal.SIGKILL)
    wait_for(lambda: gone(pool) and gone(parser))
    assert running.process.poll() is None


def test_program_that_ignores_the_signal_is_killed_after_its_grace(supervise: Callable[..., Supervised]) -> None:
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
    running = supervise(web=script)
    pid = running.pid_of("web")
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    running.finish()
    assert 2.5 < time.monotonic() - began < 8
    assert gone(pid)


def test_second_signal_kills_at_once(supervise: Callable[..., Supervised]) -> None:
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
    running = supervise(web=script)
    running.pid_of("web")
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    began = time.monotonic()
    running.process.send_signal(signal.SIGINT)
    running.finish()
    assert time.monotonic() - began < 1.5


def test_nothing_outlives_a_killed_supervisor(supervise: Callable[..., Supervised]) -> None:
    running = supervise(web=SLEEP, engine=SLEEP)
    pids = [running.pid_of("web"), running.pid_of("engine")]
    running.process.kill()
    wait_for(lambda: all(gone(pid) for pid in pids))


def test_program_that_never_starts_fails_with_its_last_words(supervise: Callable[..., Supervised]) -> None:
    said = supervise(web="import sys; sys.exit('the port is taken')").finish()
    assert "FAILED web does not start: the port is taken" in said
    assert said.endswith("STOPPED\n")


def test_warnings_reach_the_console_and_everything_the_log(supervise: Callable[..., Supervised]) -> None:
    lines = [
        "2026-01-01 10:00:00,000 INFO app quiet", "2026-01-01 10:00:01,000 ERROR app loud", "Traceback follows",
        "2026-01-01 10:00:02,000 INFO app quiet again",
    ]  # fmt: skip
    running = supervise(web=f"print({chr(10).join(lines)!r}, flush=True)\n" + SLEEP)
    running.pid_of("web")
    log = running.folder / "logs" / "web.log"
    wait_for(lambda: log.exists() and "quiet again" in log.read_text())
    running.process.send_signal(signal.SIGTERM)
    said = running.finish()
    assert "web     | 2026-01-01 10:00:01,000 ERROR app loud\nweb     | Traceback follows\n" in said
    assert "quiet" not in said
    assert log.read_text().splitlines() == lines


def test_ready_is_said_once(supervise: Callable[..., Supervised]) -> None:
    running = supervise(web=SLEEP)
    running.pid_of("web")
    (running.folder / "ready").touch()
    time.sleep(1)
    running.process.send_signal(signal.SIGTERM)
    assert running.finish().count("READY") == 1
