"""An owner is told from a later process of the same number, and nothing is claimed that cannot be known."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import pytest

from knowledge.documents import owners
from knowledge.documents.models import IngestionJob


def test_living_process_is_not_gone_and_a_dead_one_is() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = owners.owner_of(process.pid)
        assert not owners.is_gone(name)
        process.kill()
    assert owners.is_gone(name)


def test_later_process_of_the_same_number_is_not_taken_for_the_owner() -> None:
    kernel, pid, started = owners.owner().split("#")
    assert owners.is_gone(f"{kernel}#{pid}#{int(started) - 1}")
    assert not owners.is_gone(f"{kernel}#{pid}#{started}")


def test_number_means_nothing_on_another_machine() -> None:
    assert not owners.is_gone(f"{'0' * 24}#4194303#1")


def test_process_that_others_hide_is_not_called_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    name = owners.owner()
    monkeypatch.setattr(owners, "_started", lambda pid: None)
    assert not owners.is_gone(name)
    assert not owners.is_gone(owners.owner_of(os.getpid()))


def test_forked_child_has_a_name_of_its_own() -> None:
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that other tests left
        child = os.fork()
    if child == 0:
        os.write(write, owners.owner().encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(read, 200).decode()
    os.close(read)
    os.close(write)
    assert told.split("#")[:2] == [owners.KERNEL, str(child)]


def test_name_fits_its_column() -> None:
    assert len(owners.owner()) + 10 <= IngestionJob._meta.get_field("owner").max_length
