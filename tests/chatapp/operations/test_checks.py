from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatapp.operations import checks, parts
from chatapp.operations.parts import Part

ROOT = Path(__file__).resolve().parents[3]
SAFE = "Zk3vQ8sT1pLm9xWc5rYb7nHd2fGj4uEa"


@pytest.mark.parametrize(
    "key", ["short", "a" * 60, "change-me-please-0123456789-abcdefghijk", "django-insecure-" + SAFE]
)
def test_unsafe_production_secret_is_refused(settings: Any, key: str) -> None:
    settings.PRODUCTION, settings.SECRET_KEY = True, key
    assert [message.id for message in checks.production_settings()] == ["footnote.E001"]


def test_same_secret_is_accepted_outside_production(settings: Any) -> None:
    settings.PRODUCTION, settings.SECRET_KEY = False, "short"
    assert checks.production_settings() == []


def test_safe_production_settings_pass(settings: Any) -> None:
    settings.PRODUCTION, settings.SECRET_KEY, settings.DEBUG = True, SAFE, False
    assert checks.production_settings() == []


def test_debug_in_production_is_refused(settings: Any) -> None:
    settings.PRODUCTION, settings.SECRET_KEY, settings.DEBUG = True, SAFE, True
    assert [message.id for message in checks.production_settings()] == ["footnote.E002"]


@pytest.mark.django_db
def test_database_without_migrations_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "pending_migrations", lambda: ["documents.0002_more", "accounts.0003_x"])
    reasons = checks.reasons_to_refuse()
    assert reasons == [
        "The database lacks 2 migrations, the first is documents.0002_more: run `manage.py migrate`.",
    ]


ASK = "import django; django.setup(); from chatapp.operations import checks; print(checks.{}())"


@pytest.mark.parametrize(
    ("check", "setting", "words"),
    [
        ("reasons_to_refuse", "DATABASE_URL=postgres://me:very-secret@127.0.0.1:1/x", "check DATABASE_URL"),
        ("redis_away", "REDIS_URL=redis://:very-secret@127.0.0.1:1/0", "check REDIS_URL"),
        ("redis_away", "REDIS_URL=http://:very-secret@127.0.0.1:1/0", "check REDIS_URL"),
    ],
)
def test_an_engine_that_does_not_answer_is_one_sentence_without_its_password(
    check: str, setting: str, words: str
) -> None:
    name, _, value = setting.partition("=")
    environment = {**os.environ, name: value}
    command = [sys.executable, "-c", ASK.format(check)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    said = ast.literal_eval(done.stdout)
    assert len(said) == 1
    assert words in said[0]
    assert "\n" not in said[0]
    assert "very-secret" not in done.stdout + done.stderr


def test_plain_check_looks_at_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "pending_migrations", lambda: pytest.fail("it looked"))
    assert checks.migrations_applied(databases=None) == []


@pytest.mark.parametrize(
    ("version", "refused"),
    [("weaviate 1.35.9", True), ("weaviate 1.36.0", False), ("weaviate 1.39.0", False), ("weaviate 2.0.0", True),
     ("weaviate v1.40.1-rc.0", False), ("weaviate", True)],
)  # fmt: skip
def test_store_version_range(settings: Any, monkeypatch: pytest.MonkeyPatch, version: str, refused: bool) -> None:
    settings.STORE = "weaviate"
    monkeypatch.setattr(parts, "store", lambda: Part(name="store", ok=True, version=version))
    assert bool(checks.store_version(databases=["default"])) is refused


def test_embedded_store_has_no_range(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STORE = "lance"
    monkeypatch.setattr(parts, "store", lambda: pytest.fail("it looked"))
    assert checks.store_version(databases=["default"]) == []


def test_single_process_refuses_a_database_that_was_never_migrated(tmp_path: Path) -> None:
    """``serve --only web`` on a new machine: one sentence, no traceback."""
    environment = {**os.environ, "DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "manage.py", "serve", "--only", "web"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "run `manage.py migrate`" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"VERIFY_TIMEOUT": 0}, []),  # nothing uses it
        ({"VERIFY_MODEL": "openai/gpt-4o"}, []),
        ({"VERIFY_MODEL": "ollama/qwen2.5:3b"}, ["footnote.E006"]),
        ({"VERIFY_MODEL": "openai/gpt-4o", "VERIFY_TIMEOUT": 5.0}, ["footnote.E007"]),
        ({"VERIFY_MODEL_DIR": "/nowhere"}, ["footnote.E005"]),
    ],
)
def test_models_that_cannot_judge_statements_are_refused(
    settings: Any, values: dict[str, Any], expected: list[str]
) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert [message.id for message in checks.verification_models()] == expected
