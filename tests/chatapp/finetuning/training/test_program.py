"""Parts of the trainer's process that need no torch: what it reads, says, proves and may not do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatapp.finetuning.training import launching
from chatapp.finetuning.training.program import checkpoints, process
from chatapp.finetuning.training.program.job import Job, read_job, write_job
from chatapp.finetuning.training.program.reporting import Refused, Reporter
from chatapp.finetuning.training.program.rows import Row, check_lengths, facts_of, read_rows
from chatapp.finetuning.training.recipes import Recipe


class Words:
    """A tokenizer whose tokens are words, and whose template knows no system messages."""

    def apply_chat_template(self, messages: list[dict[str, Any]], **_: object) -> list[str]:
        if any(message["role"] == "system" for message in messages):
            raise ValueError("System role not supported")
        return [word for message in messages for word in message["content"].split()]


def row(key: str, words: int, role: str = "user") -> Row:
    return Row(key=key * 64, prompt=[{"role": role, "content": "word " * words}], completion="It is blue.")


def test_a_job_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = Job(
        run="1", base="b", files={"a": "b"}, folder=str(tmp_path), progress="p", recipe=Recipe(method="dora", rank=3)
    )
    write_job(job, tmp_path / "job.json")
    assert read_job(tmp_path / "job.json") == job


def test_rows_that_are_too_long_are_named_and_none_is_cut() -> None:
    assert check_lengths(Words(), [row("a", 5), row("b", 7)], most=10) == [8, 10]
    with pytest.raises(Refused) as refused:
        check_lengths(Words(), [row(key, 9) for key in "abcdefg"] + [row("h", 1)], most=10)
    assert "7 of 8 rows are longer than 10 tokens (the longest has 12): aaaaaaaaaaaa" in refused.value.message
    assert "and 2 more" in refused.value.message


def test_a_template_that_does_not_take_a_row_is_said_with_the_row() -> None:
    with pytest.raises(Refused, match="does not take row cccccccccccc: System role not supported"):
        check_lengths(Words(), [row("c", 1, role="system")], most=10)


def test_lines_that_are_no_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == []
    good = json.dumps({"key": "k", "prompt": [], "completion": "c"})
    path.write_text(f"{good}\n")
    assert [one.key for one in read_rows(path)] == ["k"]
    assert facts_of(path)["rows"] == 1
    for bad in ("{", "[]", '{"key": "k"}', "5"):
        path.write_text(f"{good}\n{bad}\n")
        with pytest.raises(Refused, match="Line 2"):
            read_rows(path)


def test_only_whole_checkpoints_are_gone_on_from(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "weights").write_bytes(b"w" * step)
        if step < 20:  # the last was being written
            checkpoints.seal(folder)
    (tmp_path / "checkpoint-15" / "weights").write_bytes(b"changed")
    (tmp_path / "checkpoint-10" / checkpoints.HASHES).write_text("{}")
    assert checkpoints.newest_good(tmp_path) == (5, tmp_path / "checkpoint-5")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


def test_what_is_no_number_is_null_in_its_lines(tmp_path: Path) -> None:
    report = Reporter(tmp_path / "progress.jsonl")
    report.say("log", step=1, loss=float("nan"), text="ü")
    report.alive()  # not again so soon
    report.close()
    (line,) = (tmp_path / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) | {"seconds": 0} == {"event": "log", "seconds": 0, "step": 1, "loss": None, "text": "ü"}


def test_a_run_is_trained_by_one_process(tmp_path: Path) -> None:
    with process.only_one(tmp_path) as first, process.only_one(tmp_path) as second:
        assert (first, second) == (True, False)
    with process.only_one(tmp_path) as again:
        assert again


def test_checkpoints_take_a_tenth_of_the_time_however_long_each_takes() -> None:
    now = [0.0]
    pace = checkpoints.Pace(lambda: now[0])
    assert not pace.too_soon
    pace.may_begin()
    now[0] += 5  # it took five seconds
    pace.ended()
    assert pace.too_soon
    now[0] += 44
    assert pace.too_soon
    now[0] += 1
    assert not pace.too_soon


def test_it_may_not_use_the_network() -> None:
    process._no_network("open", ("/etc/hosts", "r", 0))
    for event in ("socket.connect", "socket.getaddrinfo"):
        with pytest.raises(PermissionError):
            process._no_network(event, ())


def test_an_environment_that_only_trains_needs_nothing_else_of_ours(tmp_path: Path) -> None:
    asked = [sys.executable, "-P", "-s", "-X", "importtime", *launching.PROGRAM, str(tmp_path / "missing.json")]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert "FileNotFoundError" in done.stderr
    assert "chatapp.finetuning.training.recipes" in done.stderr
    assert not re.search(r"\b(celery|django|psycopg|redis)\b", done.stderr)


def test_neither_web_nor_worker_reads_torch() -> None:
    import chatapp.api
    import chatapp.finetuning.training.tasks
    import chatapp.finetuning.training.views
    import chatapp.urls

    assert chatapp.urls.urlpatterns
    assert chatapp.api.api
    assert "torch" not in sys.modules
