"""Failpoints do nothing outside of tests, and in tests exactly once what was asked for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knowledge.documents import failpoints
from knowledge.documents.failpoints import FailpointReached, reach

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def ask(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Call with what FAIL_AT shall say; times are counted in a folder of the test's own."""
    settings.DATA_DIR, settings.TESTING = tmp_path, True
    return lambda text: monkeypatch.setenv("FAIL_AT", text)


def test_nothing_happens_when_nothing_was_asked_for(ask: Callable[[str], None], tmp_path: Path) -> None:
    ask("after_parse:exception")
    reach("before_switch")
    assert not list(tmp_path.iterdir())


def test_nothing_happens_outside_of_tests(ask: Callable[[str], None], settings: Any) -> None:
    settings.TESTING = False
    ask("after_parse:exception")
    reach("after_parse")


def test_a_point_fails_once(ask: Callable[[str], None]) -> None:
    ask("after_parse:exception")
    with pytest.raises(FailpointReached):
        reach("after_parse")
    reach("after_parse")


def test_a_point_fails_at_the_times_that_are_named(ask: Callable[[str], None]) -> None:
    ask("after_parse:exception:2,mid_embedding:exception,after_parse:exception:3")
    reach("after_parse")
    for _ in range(2):
        with pytest.raises(FailpointReached):
            reach("after_parse")
    reach("after_parse")


def test_the_plan_may_lie_in_a_file_and_change(ask: Callable[[str], None], tmp_path: Path) -> None:
    ask(f"@{tmp_path / 'plan'}")
    reach("after_parse")
    (tmp_path / "plan").write_text("after_parse:exception\n")
    with pytest.raises(FailpointReached):
        reach("after_parse")


@pytest.mark.parametrize("text", ["nowhere:kill9", "after_parse:explode", "after_parse:kill9,elsewhere:hang"])
def test_what_is_not_known_is_refused(ask: Callable[[str], None], text: str) -> None:
    ask(text)
    with pytest.raises(ValueError, match="FAIL_AT"):
        reach("after_parse")


@pytest.mark.parametrize("fault", ["kill9", "hang"])
def test_a_process_ends_or_hangs_there(ask: Callable[[str], None], tmp_path: Path, fault: str) -> None:
    code = (
        "import django; django.setup()\nfrom knowledge.documents.failpoints import reach\n"
        "print('before', flush=True); reach('after_parse'); print('after', flush=True)"
    )
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "FAIL_AT": f"after_parse:{fault}"}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "before\n"
        if fault == "hang":
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            process.kill()
        assert process.stdout.read() == ""
        assert process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize(("folder", "points"), [("knowledge", "POINTS"), ("chatapp", "ELSEWHERE")])
def test_every_point_is_somewhere_in_the_code(folder: str, points: str) -> None:
    code = "".join(path.read_text() for path in (ROOT / folder).rglob("*.py"))
    assert sorted(re.findall(r'\breach\("(\w+)"\)', code)) == sorted(getattr(failpoints, points))
