"""A light start, and settings that are all written down."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("litellm", "lancedb", "weaviate", "onnxruntime", "openvino", "torch", "tokenizers", "pypdfium2", "docx")


def loaded_after(program: str) -> set[str]:
    """Run Python code in a fresh process and return the heavy modules it left loaded."""
    probe = f"{program}\nimport json, sys\nprint(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_check_loads_no_heavy_library() -> None:
    program = (
        "import django, os; django.setup(); from django.core.management import call_command; call_command('check')"
    )
    assert loaded_after(program) == set()


def test_worker_starts_without_heavy_libraries() -> None:
    program = "from chatapp.celery import app; app.loader.import_default_modules(); app.finalize()"
    assert loaded_after(program) == set()


def test_web_starts_without_heavy_libraries() -> None:
    assert loaded_after("import chatapp.asgi") == set()


def settings_read() -> set[str]:
    text = (ROOT / "chatapp" / "settings.py").read_text()
    return set(re.findall(r'\b(?:env\.\w+|secret|flag)\(\s*"([A-Z_]+)"', text))


def test_every_setting_is_documented_and_nothing_else() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert len(settings_read()) > 30
    assert documented == settings_read()


def test_secrets_are_marked_as_files_too() -> None:
    text = (ROOT / "chatapp" / "settings.py").read_text()
    secrets = set(re.findall(r'\bsecret\(\s*"([A-Z_]+)"', text))
    marked = set(re.findall(r"^\| `([A-Z_]+)` \*secret\*", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert marked == secrets


def test_settings_write_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "never"
    environment = {**os.environ, "DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "chatapp.settings"}
    subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; settings.SECRET_KEY"],
        cwd=ROOT, env=environment, check=True,
    )  # fmt: skip
    assert not data_dir.exists()


@pytest.mark.parametrize("unsafe", ["PORT=web", "DEBUG=perhaps"])
def test_odd_value_is_refused(unsafe: str) -> None:
    name, value = unsafe.split("=")
    done = subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; settings.PORT"],
        cwd=ROOT, env={**os.environ, name: value}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
