"""System checks that refuse a start: an unsafe secret, pending migrations, a store out of range.

The last two look at the database and the store, so they run where Django's database checks run
(``manage.py check --database default``) and before every start.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.db import DatabaseError, connection
from redis.exceptions import BusyLoadingError, RedisError

from chatapp.operations import parts

STARTUP = "footnote_start"
SECRET_CHARACTERS = 32
WEAVIATE_VERSIONS = ((1, 36), (2, 0))
PLACEHOLDERS = ("change", "insecure", "secret", "example", "password", "django-insecure")


@register(STARTUP, Tags.security)
def production_settings(app_configs: Sequence[Any] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse a production start with a secret that others could guess, or with debug pages."""
    if not settings.PRODUCTION:
        return []
    found: list[CheckMessage] = []
    key = settings.SECRET_KEY
    if len(key) < SECRET_CHARACTERS or len(set(key)) < 10 or key.lower().startswith(PLACEHOLDERS):
        found.append(
            Error(
                f"SECRET_KEY is not safe for production: use at least {SECRET_CHARACTERS} random characters, "
                "or leave it unset to use the one in DATA_DIR/secret-key.",
                id="footnote.E001",
            )
        )
    if settings.DEBUG:
        found.append(Error("DEBUG must be off in production: its pages show settings.", id="footnote.E002"))
    return found


@register(STARTUP, Tags.database)
def migrations_applied(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Refuse a database that is older than the code."""
    if "default" not in (options.get("databases") or ()):
        return []
    pending = parts.pending_migrations()
    if not pending:
        return []
    return [
        Error(
            f"The database lacks {len(pending)} migrations, the first is {pending[0]}: run `manage.py migrate`.",
            id="footnote.E003",
        )
    ]


@register(STARTUP, Tags.database)
def store_version(app_configs: Sequence[Any] | None = None, **options: Any) -> list[CheckMessage]:
    """Refuse a Weaviate whose version was never tested with this code. The embedded store comes with the lock."""
    if settings.STORE != "weaviate" or "default" not in (options.get("databases") or ()):
        return []
    part = parts.store()
    version = _version(part.version)
    low, high = WEAVIATE_VERSIONS
    if part.ok and low <= version < high:
        return []
    words = f"it is {part.version or 'unknown'}" if part.ok else (part.detail or "it does not answer")
    return [
        Error(f"Weaviate must be version {low[0]}.{low[1]} or newer and below {high[0]}: {words}.", id="footnote.E004")
    ]


@register(STARTUP)
def verification_models(app_configs: Sequence[Any] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse models that cannot judge statements, before somebody relies on them."""
    if not (settings.VERIFY_MODEL or settings.VERIFY_MODEL_DIR):
        return []
    # Here: they bring numpy, which the supervisor can do without.
    from chatapp.answering.checking import PATIENCE
    from chatapp.answering.verification.consult import SMALLEST, too_small
    from knowledge.embedding.pairs import MODEL_FILE, TOKENIZER_FILE

    found: list[CheckMessage] = []
    folder = settings.VERIFY_MODEL_DIR
    missing = [name for name in (MODEL_FILE, TOKENIZER_FILE) if folder and not (Path(folder) / name).is_file()]
    if missing:
        found.append(Error(f"The folder VERIFY_MODEL_DIR has no {' and no '.join(missing)}.", id="footnote.E005"))
    if settings.VERIFY_MODEL and too_small(settings.VERIFY_MODEL):
        words = (
            f"VERIFY_MODEL {settings.VERIFY_MODEL} is too small to judge: use one of {SMALLEST:g} B weights or more."
        )
        found.append(Error(words, id="footnote.E006"))
    if not 0 < settings.VERIFY_TIMEOUT < PATIENCE:
        found.append(
            Error(f"VERIFY_TIMEOUT must be more than 0 and less than {PATIENCE:g} seconds.", id="footnote.E007")
        )
    return found


def _version(text: str) -> tuple[int, int]:
    numbers = text.rsplit(" ", 1)[-1].lstrip("v").split(".")
    try:
        return int(numbers[0]), int(numbers[1])
    except (ValueError, IndexError):
        return 0, 0


def database_away() -> list[str]:
    """Return a readable sentence when the database does not answer. The driver's words name no password."""
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        return [f"The database does not answer; check DATABASE_URL. {_one_line(error)}"]
    return []


def redis_away() -> list[str]:
    """Return a readable sentence when Redis does not answer. The client's words name no password."""
    try:
        with parts.quick_redis() as client:
            client.ping()
    except BusyLoadingError:
        return []  # it reads its file and will answer
    except (RedisError, OSError, ValueError) as error:
        return [f"Redis does not answer; check REDIS_URL. {_one_line(error)}"]
    return []


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def reasons_to_refuse() -> list[str]:
    """Run the checks that a start needs and return the errors, one readable sentence each.

    Only ours: Django's own check the code, not the machine, and import every address to do so (a second).
    """
    away = database_away()
    if away:
        return away  # the other checks ask it
    found = run_checks(tags=[STARTUP], databases=["default"])
    return [str(message.msg) for message in found if message.is_serious()]
