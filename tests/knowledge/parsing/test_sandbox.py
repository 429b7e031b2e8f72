from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import knowledge
from knowledge.errors import DocumentEmpty, DocumentTooLarge, DocumentWithoutText, ParserCrashed, UnsupportedFormat
from knowledge.parsing import ChildParser, ParseLimits, parse_in_child
from knowledge.parsing.frames import encode_document, read_document, read_frame, write_document, write_frame, write_json

ROOT = str(Path(knowledge.__path__[0]).parent)


def test_a_document_comes_back_whole(child, make_pdf, parse) -> None:
    data = make_pdf([[(72, 700, 12, "Some text on the page.")]])
    document, here = child.parse(data, filename="a.pdf"), parse(data, "a.pdf")
    assert (document.text, document.blocks, document.pages) == (here.text, here.blocks, here.pages)
    assert document.boxes is not None
    assert (document.boxes.page == here.boxes.page).all()
    assert (document.boxes.xyxy == here.boxes.xyxy).all()


@pytest.mark.parametrize(
    ("data", "name", "error"),
    [(b"", "a.txt", DocumentEmpty), (b" ", "a.txt", DocumentWithoutText), (bytes(99), "a.bin", UnsupportedFormat)],
)
def test_errors_come_back_as_their_own_class(child, data: bytes, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        child.parse(data, filename=name)
    assert child.parse(b"the next document", filename="b.txt").text == "the next document"


def test_a_file_over_the_upload_limit_does_not_reach_the_child() -> None:
    with ChildParser() as parser, pytest.raises(DocumentTooLarge):
        parser.parse(b"x" * 11, filename="a.txt", limits=ParseLimits(upload_bytes=10))


def test_a_killed_child_is_reported_and_replaced() -> None:
    with ChildParser() as parser:
        parser.parse(b"one", filename="a.txt")
        assert parser._process is not None
        os.kill(parser._process.pid, signal.SIGSEGV)
        time.sleep(0.1)
        assert parser.parse(b"two", filename="a.txt").text == "two"


def _kill_when_started(parser: ChildParser, sign: signal.Signals) -> threading.Thread:
    def run() -> None:
        while parser._process is None:
            time.sleep(0.001)
        os.kill(parser._process.pid, sign)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_crash_while_parsing_is_told_in_words() -> None:
    with ChildParser() as parser:
        thread = _kill_when_started(parser, signal.SIGSEGV)
        with pytest.raises(ParserCrashed, match="crashed"):
            parser.parse(b"one", filename="a.txt")
        thread.join()
        assert parser.parse(b"two", filename="a.txt").text == "two"


def test_a_reading_that_nobody_wants_is_ended_from_another_thread() -> None:
    with ChildParser() as parser:
        parser.kill()  # nothing to end
        stopped = _kill_when_started(parser, signal.SIGSTOP)
        ending = threading.Timer(0.5, parser.kill)
        ending.start()
        started = time.monotonic()
        with pytest.raises(ParserCrashed):
            parser.parse(b"one", filename="a.txt")
        assert time.monotonic() - started < 10
        stopped.join()
        ending.join()
        assert parser.parse(b"two", filename="a.txt").text == "two"


def test_wall_clock_time_is_limited() -> None:
    with ChildParser() as parser:
        thread = _kill_when_started(parser, signal.SIGSTOP)
        started = time.monotonic()
        with pytest.raises(ParserCrashed, match="longer than 1 seconds"):
            parser.parse(b"one", filename="a.txt", limits=ParseLimits(wall_seconds=1))
        assert time.monotonic() - started < 10
        thread.join()
        assert parser.parse(b"two", filename="a.txt").text == "two"


def test_processor_time_is_limited_for_each_document() -> None:
    slow = ("*a " * 40 + "\n\n").encode() * 150_000
    limits = ParseLimits(cpu_seconds=1)
    with ChildParser() as parser:
        with pytest.raises(ParserCrashed, match="1 seconds of processor time"):
            parser.parse(slow, filename="a.md", limits=limits)
        assert parser.parse(b"two", filename="a.txt", limits=limits).text == "two"


def test_memory_is_limited() -> None:
    big = b"word " * 6_000_000
    limits = ParseLimits(memory_bytes=40 * 1024 * 1024)
    with ChildParser() as parser:
        with pytest.raises(ParserCrashed, match="memory"):
            parser.parse(big, filename="a.txt", limits=limits)
        assert parser.parse(b"two", filename="a.txt", limits=limits).text == "two"


def test_a_child_is_replaced_after_its_share_of_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.parsing.sandbox._RECYCLE_AFTER", 2)
    with ChildParser() as parser:
        parser.parse(b"one", filename="a.txt")
        assert parser._process is not None
        parser.parse(b"two", filename="a.txt")
        assert parser._process is None


def test_many_threads_may_share_a_child() -> None:
    results: dict[int, str] = {}
    with ChildParser() as parser:

        def run(number: int) -> None:
            results[number] = parser.parse(b"text %d" % number, filename="a.txt").text

        threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {n: f"text {n}" for n in range(8)}


def test_the_process_has_one_child_of_its_own() -> None:
    assert parse_in_child(b"words", filename="a.txt").text == "words"


PROBE = """
import os, socket, subprocess, sys
from knowledge.parsing.confine import confine_process
isolated = confine_process()
for name, attempt in {
    "socket": lambda: socket.socket(),
    "process": lambda: subprocess.run(["true"]),
    "fork": lambda: os.fork(),
    "system": lambda: os.system("true"),
    "write": lambda: open("probe.txt", "w").write("x" * 100000),
}.items():
    try:
        attempt()
    except OSError as err:
        print(name, "refused")
    else:
        print(name, "ALLOWED")
"""


def test_a_confined_process_has_no_network_no_children_and_writes_nothing(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PYTHONPATH": ROOT},
    )
    assert sorted(done.stdout.split("\n")) == sorted(
        ["", *(f"{n} refused" for n in ("socket", "process", "fork", "system", "write"))]
    )


def test_the_child_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "secret-key")
    with ChildParser() as parser:
        parser.parse(b"x", filename="a.txt")
        assert parser._process is not None
        environment = Path(f"/proc/{parser._process.pid}/environ")
        if not environment.exists():
            pytest.skip("this system has no /proc")
        try:
            seen = environment.read_bytes()
        except PermissionError:  # the child is shut to its own user, too; only root reads it
            return
        assert b"secret-key" not in seen


def test_three_hundred_small_files_are_quick(child) -> None:
    child.parse(b"warm", filename="a.txt")
    started = time.monotonic()
    for number in range(300):
        child.parse(b"A small file. Number %d.\n\nSecond paragraph." % number, filename=f"{number}.txt")
    assert time.monotonic() - started < 15


def test_frames_refuse_what_is_too_large_or_cut_off() -> None:
    with pytest.raises(ValueError):
        read_frame(io.BytesIO((10**12).to_bytes(8, "big")))
    with pytest.raises(EOFError):
        read_frame(io.BytesIO((5).to_bytes(8, "big") + b"abc"))
    with pytest.raises(EOFError):
        read_frame(io.BytesIO())


def test_an_answer_that_its_reader_would_not_take_is_refused_in_words(parse, monkeypatch: pytest.MonkeyPatch) -> None:
    document = parse("one\n\ntwo", "a.txt")
    layout, text, boxes = encode_document(document)
    assert (text, boxes) == (b"one\n\ntwo", b"")
    for name, size, words in (("MAX_JSON", len(layout) - 1, "paragraphs"), ("MAX_TEXT", len(text) - 1, "of text")):
        with monkeypatch.context() as patch, pytest.raises(DocumentTooLarge, match=words):
            patch.setattr(f"knowledge.parsing.frames.{name}", size)
            encode_document(document)


def test_boxes_of_more_characters_than_there_are_are_not_read(parse) -> None:
    layout, text, _ = encode_document(parse("words", "a.txt"))
    stream = io.BytesIO()
    for payload in (layout, text, bytes(18 * 6)):
        write_frame(stream, payload)
    stream.seek(0)
    with pytest.raises(ValueError, match="over the limit"):
        read_document(stream)


def test_a_child_that_answers_nonsense_is_not_believed(parse, make_pdf) -> None:
    document = parse(make_pdf([[(72, 700, 12, "text")]]), "a.pdf")
    stream = io.BytesIO()
    write_document(stream, document)
    whole = stream.getvalue()
    short = io.BytesIO(whole[:-4])
    with pytest.raises(EOFError):
        read_document(short)
    forged = io.BytesIO()
    write_json(forged, [1, 2])
    write_frame(forged, b"text")
    write_frame(forged, b"")
    forged.seek(0)
    with pytest.raises(ValueError):
        read_document(forged)
