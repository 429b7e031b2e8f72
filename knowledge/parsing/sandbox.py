"""Parses in a confined child process that can be killed: PDFium and libxml2 meet hostile files there."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import knowledge
from knowledge import errors
from knowledge.errors import DocumentEmpty, DocumentError, DocumentTooLarge, ParserCrashed
from knowledge.parsing.base import ParseLimits
from knowledge.parsing.frames import read_document, read_json, write_frame, write_json
from knowledge.parsing.recognition import (
    RECOGNITION_CODE,
    NeedsRecognition,
    RecognisedPage,
    page_from_json,
    page_to_json,
)
from knowledge.types import ParsedDocument

logger = logging.getLogger(__name__)

T = TypeVar("T")

_MODULE = "knowledge.parsing.child"
_FOLDER = "footnote-parser-"  # followed by the process id of its owner
_RECYCLE_AFTER = 200  # documents
_RECYCLE_GROWN = 256 * 1024 * 1024  # bytes of address space kept after a document
_CLASSES: dict[str, type[DocumentError]] = {
    cls.code: cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, DocumentError)
}


class ChildParser:
    """A child that parses one document after the other; safe to use from several threads.

    The child is started with the first document, and replaced after 200 documents, after any failure and
    when it has grown. It holds no copy of the parent's environment, no inherited files, and a private folder.
    """

    def __init__(self, *, keep_bytes: int = _RECYCLE_GROWN) -> None:
        """``keep_bytes``: address space a child may keep after a document before it is replaced."""
        self._keep_bytes = keep_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._documents = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def parse(
        self, data: bytes, *, filename: str, limits: ParseLimits | None = None, may_recognise: bool = False,
        recognised: Mapping[int, RecognisedPage] | None = None,
    ) -> ParsedDocument:  # fmt: skip
        """Parse one document.

        :raises DocumentError: the document cannot be read; the class says why.
        :raises NeedsRecognition: pages of it only hold pictures of text, and ``may_recognise``.
        :raises ParserCrashed: the child died, or ran out of time or memory.
        """
        limits = limits or ParseLimits()
        if not data:
            raise DocumentEmpty
        if len(data) > limits.upload_bytes:
            raise DocumentTooLarge(f"The file is larger than {limits.upload_bytes // (1024 * 1024)} MB.")
        request = {
            "filename": filename,
            "may_recognise": may_recognise,
            "recognised": None if recognised is None else [page_to_json(page) for page in recognised.values()],
        }
        return self._ask(request, data, limits, lambda _answer, stream: read_document(stream))

    def recognise(self, data: bytes, *, media_type: str, number: int, limits: ParseLimits) -> RecognisedPage:
        """Read the words of one page, a picture, with the extra ``ocr``.

        :raises DocumentError: the page cannot be drawn.
        :raises ParserCrashed: the child died, or ran out of time or memory.
        """
        request = {"recognise": {"media_type": media_type, "number": number}}
        return self._ask(request, data, limits, lambda answer, _stream: page_from_json(answer.get("page")))

    def _ask(
        self, request: dict[str, Any], data: bytes, limits: ParseLimits,
        read: Callable[[dict[str, Any], IO[bytes]], T],
    ) -> T:  # fmt: skip
        with self._lock:
            try:
                return self._exchange(request, data, limits, read)
            except NeedsRecognition:  # an answer like another: the child goes on
                raise
            except BaseException:
                self._stop()
                raise

    def kill(self) -> None:
        """Kill the child at once; a thread that waits for its answer gets :class:`ParserCrashed`."""
        process = self._process
        if process is not None:
            _kill(process)

    def close(self) -> None:
        """Stop the child; a later ``parse`` starts another."""
        with self._lock:
            self._stop()

    def _exchange(
        self, request: dict[str, Any], data: bytes, limits: ParseLimits,
        read: Callable[[dict[str, Any], IO[bytes]], T],
    ) -> T:  # fmt: skip
        process = self._running()
        assert process.stdin
        assert process.stdout
        late = threading.Event()
        timer = threading.Timer(limits.wall_seconds, _kill, (process, late))
        timer.daemon = True
        timer.start()
        try:
            write_json(process.stdin, {**request, "limits": asdict(limits)})
            write_frame(process.stdin, data)
            process.stdin.flush()
            return self._receive(process.stdout, limits, read)
        except (EOFError, BrokenPipeError) as err:
            raise _crash(process, late.is_set(), limits) from err
        except ValueError as err:
            raise ParserCrashed("The reader of this file gave a result that makes no sense.") from err
        finally:
            timer.cancel()
            timer.join()  # a child killed in its last moment must not meet the next document

    def _receive(self, stream: IO[bytes], limits: ParseLimits, read: Callable[[dict[str, Any], IO[bytes]], T]) -> T:
        answer = _object(read_json(stream))
        if answer.get("code") == RECOGNITION_CODE:
            raise NeedsRecognition(_numbers(answer.get("pages")))
        if not answer.get("ok"):
            raise _error(str(answer.get("code")), str(answer.get("message")), limits)
        result = read(answer, stream)
        self._documents += 1
        grown = answer.get("grown")
        if self._documents >= _RECYCLE_AFTER or not isinstance(grown, int) or grown > self._keep_bytes:
            self._stop()
        return result

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._folder = _private_folder()
            self._process = _start(self._folder)
        return self._process

    def _stop(self) -> None:
        process, self._process, self._documents = self._process, None, 0
        folder, self._folder = self._folder, None
        if process is not None:
            self._end(process)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        _kill(process)
        process.wait()
        for stream in (process.stdin, process.stdout):
            try:
                if stream:
                    stream.close()
            except OSError:  # unwritten bytes for a child that is gone
                logger.debug("a pipe of a parser child was already closed")


def remove_left_folders() -> None:
    """Remove the folders of children whose owner was killed: neither could do it."""
    for old in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        owner = old.name.removeprefix(_FOLDER).partition("-")[0]
        if owner.isdecimal() and not _runs(int(owner)):
            shutil.rmtree(old, ignore_errors=True)


def _private_folder() -> Path:
    """Make a folder for one child, 0700."""
    remove_left_folders()
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _start(folder: Path) -> subprocess.Popen[bytes]:
    root = Path(knowledge.__path__[0]).resolve().parent
    environment = {
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "PATH": os.defpath,
        "TMPDIR": str(folder),
        "HOME": str(folder),
        "OPENBLAS_NUM_THREADS": "1",  # each thread would reserve address space
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-s", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        close_fds=True,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes], late: threading.Event | None = None) -> None:
    if late is not None:
        late.set()
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list) or not value or not all(type(number) is int and number > 0 for number in value):
        raise ValueError("no list of page numbers")
    return value


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _error(code: str, message: str, limits: ParseLimits) -> DocumentError | ParserCrashed:
    """The exception a child named by its code."""
    if code in _CLASSES:
        return _CLASSES[code](message[:500] or None)
    if code == "memory":
        return _out_of_memory(limits)
    return ParserCrashed(f"The reader of this file met something it did not expect ({message[:60]}).")


def _out_of_memory(limits: ParseLimits) -> ParserCrashed:
    return ParserCrashed(
        f"Reading this file takes more than the {limits.memory_bytes // (1024 * 1024):,} MB of memory allowed."
    )


def _crash(process: subprocess.Popen[bytes], late: bool, limits: ParseLimits) -> ParserCrashed:
    """Say in words why the child is gone."""
    if late:
        return ParserCrashed(f"Reading this file took longer than {limits.wall_seconds} seconds.")
    try:
        status = process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return ParserCrashed()
    logger.warning("parser child ended with status %s", status)
    if status == -signal.SIGXCPU:
        return ParserCrashed(f"Reading this file took more than {limits.cpu_seconds} seconds of processor time.")
    if status in (
        -signal.SIGABRT,
        -signal.SIGTRAP,
        -signal.SIGKILL,
    ):  # PDFium aborts or traps when memory ends
        return _out_of_memory(limits)
    return ParserCrashed("The reader of this file crashed; the file may be damaged.")


_own: ChildParser | None = None
_own_pid = 0
_own_lock = threading.Lock()


def parse_in_child(data: bytes, *, filename: str, limits: ParseLimits | None = None) -> ParsedDocument:
    """Parse with this process's own child, started on first use.

    :raises DocumentError: the document cannot be read; the class says why.
    :raises ParserCrashed: the child died, or ran out of time or memory.
    """
    global _own, _own_pid
    with _own_lock:
        if _own is None or _own_pid != os.getpid():  # after a fork the child is the parent's
            _own, _own_pid = ChildParser(), os.getpid()
            atexit.register(_own.close)
        parser = _own
    return parser.parse(data, filename=filename, limits=limits)
