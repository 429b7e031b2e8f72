from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from chatapp.operations.bench import product


def test_a_product_that_cannot_start_says_why(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = product.Product(tmp_path, taken.getsockname()[1])
        with pytest.raises(product.StartFailed, match="Cannot listen"):
            running.start()
    assert running.process is None


def test_the_folder_is_gone_afterwards_whatever_happened() -> None:
    with pytest.raises(ZeroDivisionError), product.data_folder() as folder:
        (folder / "file").write_text("x")
        raise ZeroDivisionError
    assert not folder.exists()


def test_the_scripted_model_runs_only_as_long_as_it_is_needed() -> None:
    with product.scripted_model() as url, urllib.request.urlopen(f"{url}/models") as reply:
        assert json.load(reply)["data"]
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{url}/models")


def test_an_installation_without_the_tests_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(product, "SCRIPTED_MODEL", tmp_path / "missing.py")
    with pytest.raises(product.StartFailed, match="checkout"), product.scripted_model():
        pass


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no folder"):
        call_command("bench", data=tmp_path / "missing")
