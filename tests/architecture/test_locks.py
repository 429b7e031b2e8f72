"""The locks: complete, by hash, without addresses; and the licence that lets people use this."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [
    "requirements.lock",
    *(f".requirements/{name}.lock" for name in ("dev", "openvino", "node", "ocr", "train", "uv")),
]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")


def entries(lock: str) -> list[str]:
    """Return one string for each package, with its continued lines."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins(lock: str) -> dict[str, str]:
    return {match[1]: match[2] for line in entries(lock) if (match := PIN.match(line))}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_a_pin_with_a_hash(lock: str) -> None:
    assert entries(lock)
    loose = [line[:60] for line in entries(lock) if not PIN.match(line) or "--hash=sha256:" not in line]
    assert loose == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_is_written_down(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()


@pytest.mark.parametrize("extra", ["dev", "openvino", "node", "ocr", "train"])
def test_extras_list_only_what_the_base_lacks(extra: str) -> None:
    assert pins(f".requirements/{extra}.lock").keys() & pins("requirements.lock").keys() == set()


def test_default_environment_has_no_torch() -> None:
    assert not {"torch", "sentence-transformers", "transformers"} & pins("requirements.lock").keys()


def test_licence_is_there() -> None:
    assert "MIT License" in (ROOT / "LICENSE").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the installer over an empty lock, with an environment that is there already."""
    shutil.copytree(ROOT / ".requirements", tmp_path / ".requirements")
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    return tmp_path


def fake(path: Path, log: Path, *, status: int = 0) -> None:
    path.write_text(f'#!/bin/sh\necho "$(basename "$0") $*" >> {log}\nexit {status}\n')
    path.chmod(0o755)


def install(checkout: Path, *locks: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / ".requirements" / "install", *locks],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=60,
    )


def test_second_installation_does_nothing_until_the_lock_changes(checkout: Path) -> None:
    log = checkout / "log"
    fake(checkout / ".venv/bin/python", log)
    fake(checkout / ".venv/bin/uv", log)

    def installed() -> int:
        assert install(checkout, "base").returncode == 0
        return log.read_text().count("uv pip install")

    assert installed() == 1
    assert installed() == 1
    (checkout / "requirements.lock").write_text("# changed\n")
    assert installed() == 2


def test_pip_goes_on_where_uv_fails(checkout: Path) -> None:
    log = checkout / "log"
    fake(checkout / ".venv/bin/python", log)
    fake(checkout / ".venv/bin/uv", log, status=1)
    assert install(checkout, "base").returncode == 0
    assert "python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps" in log.read_text()


def test_failed_installation_is_tried_again_next_time(checkout: Path) -> None:
    log = checkout / "log"
    fake(checkout / ".venv/bin/uv", log, status=1)
    fake(checkout / ".venv/bin/python", log, status=1)
    assert install(checkout, "base").returncode != 0
    assert not (checkout / ".venv/.installed-base").exists()


def test_machine_without_a_new_enough_python_is_told_so(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("dirname", "sh", "cat"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    shutil.rmtree(checkout / ".venv")
    done = subprocess.run(
        [checkout / ".requirements" / "install", "base"], capture_output=True, text=True, env={"PATH": str(tools)}
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
