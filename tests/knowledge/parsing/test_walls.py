"""A parser child that a file has taken over reaches nothing, and does not hold up the worker."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import knowledge
from knowledge.errors import DocumentDamaged, KnowledgeError, ParserCrashed
from knowledge.parsing import ChildParser, ParseLimits

ROOT = Path(knowledge.__path__[0]).parent
QUICK = ParseLimits(wall_seconds=40, cpu_seconds=1, memory_bytes=300 * 1024 * 1024)
HASTY = ParseLimits(wall_seconds=3)

linux = pytest.mark.skipif(sys.platform != "linux", reason="these walls are of Linux")


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChildParser]:
    """A parser whose children do what the document says."""
    monkeypatch.setattr("knowledge.parsing.sandbox._MODULE", "tests.support.hostile_child")
    with ChildParser() as parser:
        yield parser


def kernel_walls() -> set[str]:
    """Which walls the kernel of this machine can build."""
    probe = "from knowledge.parsing.confine import confine_process; print(*confine_process())"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(ROOT)}
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def walls() -> set[str]:
    return kernel_walls()


@pytest.fixture
def found(taken: ChildParser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the child could do, by name: ``refused ...`` or ``ALLOWED ...``."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the words of another tenant")
    monkeypatch.setenv("LLM_API_KEY", "secret-key")
    lines = taken.parse(f"report {secret}".encode(), filename="a.txt").text.splitlines()
    assert secret.exists()
    assert list(tmp_path.iterdir()) == [secret]
    return dict(line.split(": ", 1) for line in lines)


@linux
def test_no_network_no_process_and_no_byte_on_any_system(found: dict[str, str]) -> None:
    for name in ("socket", "connection", "subprocess", "fork", "write"):
        assert found[name].startswith("refused"), name


@linux
def test_native_code_makes_no_process_and_no_socket(found: dict[str, str], walls: set[str]) -> None:
    if "calls" not in walls:
        pytest.skip("this kernel has no filter of system calls")
    for name in (
        "native socket",
        "native fork",
        "native exec",
        "native program",
        "signal to parent",
        "limits of parent",
    ):
        assert found[name] == "refused 1", (name, found[name])


@linux
def test_only_the_program_is_read_and_only_the_private_folder_is_written(
    found: dict[str, str], walls: set[str]
) -> None:
    if "files" not in walls:
        pytest.skip("this kernel has no Landlock")
    for name in ("file elsewhere", "delete elsewhere", "secret file", "passwords", "environment of parent"):
        assert found[name].startswith("refused 13"), (name, found[name])
    assert found["empty file"] == "ALLOWED made"


@linux
def test_nothing_is_inherited(found: dict[str, str]) -> None:
    assert set(found["own environment"].split()) <= {
        "HOME", "LC_ALL", "LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH", "PYTHONUTF8", "TMPDIR",
    }  # fmt: skip
    assert set(found["descriptors"].split()) <= {"/dev/null", "pipe"}, found["descriptors"]
    assert found["descriptors"].split().count("pipe") == 2


@linux
def test_the_private_folder_is_the_childs_own_and_goes_with_it(taken: ChildParser, tmp_path: Path) -> None:
    text = taken.parse(f"report {tmp_path}/none".encode(), filename="a.txt").text
    path, mode, current = text.rpartition("folder: ")[2].split()
    assert (mode, current) == ("700", path)
    assert stat.S_ISDIR(os.stat(path).st_mode)
    taken.close()
    assert not Path(path).exists()


@linux
def test_the_folder_of_a_killed_parser_goes_with_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import os, signal\nfrom knowledge.parsing import ChildParser\nparser = ChildParser()\n"
        "parser.parse(b'words', filename='a.txt')\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run(
        [sys.executable, "-c", script], timeout=60, env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}, check=False
    )
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ChildParser() as parser:
        parser.parse(b"words", filename="a.txt")
        assert [path.name.split("-")[2] for path in tmp_path.iterdir()] == [str(os.getpid())]


def test_no_folder_is_left_after_failures(taken: ChildParser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for word in (b"exit 3", b"garbage"):
        with pytest.raises(ParserCrashed):
            taken.parse(word, filename="a.txt", limits=QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("spin", "1 seconds of processor time"),
        ("claim", "makes no sense"),
        ("flood", "makes no sense"),
        ("garbage", "makes no sense"),
        ("exit 0", "crashed"),
        ("exit 1", "crashed"),
        ("abort", "300 MB of memory"),
        ("memory", "300 MB of memory"),
        ("defect", "did not expect"),
        ("surrogate", "did not expect"),
    ],
)
def test_a_child_that_misbehaves_is_ended_and_the_next_document_is_read(
    taken: ChildParser, document: str, words: str
) -> None:
    with pytest.raises(ParserCrashed, match=words) as caught:
        taken.parse(document.encode(), filename="a.txt", limits=QUICK)
    assert "a word of the document" not in caught.value.message
    assert taken._process is None
    assert taken.parse(b"the next document", filename="b.txt", limits=QUICK).text == "the next document"


def test_a_child_that_says_nothing_is_ended_in_time(taken: ChildParser) -> None:
    started = time.monotonic()
    with pytest.raises(ParserCrashed, match="longer than 3 seconds"):
        taken.parse(b"sleep", filename="a.txt", limits=HASTY)
    assert time.monotonic() - started < 10
    assert taken.parse(b"the next document", filename="b.txt", limits=QUICK).text == "the next document"


def test_a_long_message_of_a_child_is_cut(taken: ChildParser) -> None:
    with pytest.raises(DocumentDamaged) as caught:
        taken.parse(b"message", filename="a.txt", limits=QUICK)
    assert len(caught.value.message) == 500


def test_a_child_that_never_reads_its_document_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.parsing.sandbox._MODULE", "tests.support.deaf_child")
    with ChildParser() as parser, pytest.raises(KnowledgeError, match="longer than 3 seconds"):
        parser.parse(b"x" * (4 << 20), filename="a.txt", limits=HASTY)


@linux
def test_a_grandchild_dies_with_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a kernel without the filter of system calls a child may get one: it is of the same group."""
    monkeypatch.setattr("knowledge.parsing.sandbox._MODULE", "tests.support.forking_child")
    with ChildParser() as parser, pytest.raises(KnowledgeError, match="longer than 3 seconds"):
        parser.parse(b"x", filename="a.txt", limits=HASTY)
    left = [
        pid for pid in filter(str.isdigit, os.listdir("/proc"))
        if b"tests.support.forking_child" in _command(pid)
    ]  # fmt: skip
    assert left == []


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
