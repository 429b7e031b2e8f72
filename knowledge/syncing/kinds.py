"""From rows to plug-ins: the operator's limits and each source's own folder and secrets are put in here."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from knowledge.documents.access import as_uuid
from knowledge.errors import SourceMisconfigured
from knowledge.sources import base
from knowledge.sources.plugins import SOURCES, source_of
from knowledge.sources.values import values_of
from knowledge.syncing.models import Source
from knowledge.syncing.secrets import secrets_of

LOST_SECONDS = 300
"""A folder without a row that is younger may be that of a test of settings under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What somebody set of a source, checked and split into what may be shown and what may not."""

    options: dict[str, Any]
    secrets: dict[str, str] = field(repr=False)


def work_folder(source: uuid.UUID) -> Path:
    return Path(settings.DATA_DIR) / "sources" / str(source)


def private_folders() -> tuple[Path, ...]:
    """Return the folders of the product's own data, which no source reads: this one's, and that of a default start."""
    return Path(settings.DATA_DIR), Path(settings.BASE_DIR) / ".data"


def forget_work(source: uuid.UUID) -> None:
    """Remove what a source kept on this machine between its runs."""
    shutil.rmtree(work_folder(source), ignore_errors=True)


def forget_lost_work() -> int:
    """Remove what is left of sources whose rows are gone, with their knowledge base for example; return how many."""
    folder = Path(settings.DATA_DIR) / "sources"
    found = {name: pk for name in (folder.iterdir() if folder.is_dir() else ()) if (pk := as_uuid(name.name))}
    there = set(Source.objects.filter(pk__in=found.values()).values_list("pk", flat=True))
    lost = [pk for path, pk in found.items() if pk not in there and time.time() - path.stat().st_mtime > LOST_SECONDS]
    for pk in lost:
        forget_work(pk)
    return len(lost)


def checked(kind: str, options: Mapping[str, Any], *, secrets: Mapping[str, str], source: uuid.UUID) -> Settings:
    """Return the settings as they are stored: only what was given, in its proper type.

    :raises SourceMisconfigured: no such kind, or a setting is missing, unknown or not allowed.
    """
    given = {name: value for name, value in options.items() if value not in (None, "", [])}
    kept = {name: value for name, value in secrets.items() if value}
    source_of(kind, given, secrets=kept, context=_context(source))
    values = values_of(SOURCES[kind].options, given, secrets=kept)
    proper = {name: _plain(values.settings[name]) for name in given}
    return Settings(options=proper, secrets=kept)


def plugin_of(source: Source, *, run: str = "", beat: Callable[[], None] = lambda: None) -> base.Source:
    """Build the plug-in of a stored source, for a run; it calls ``beat`` while it works and yields nothing.

    :raises SourceMisconfigured: its settings do not hold any more.
    """
    context = replace(_context(source.pk), run=run, beat=beat)
    return source_of(source.kind, source.options, secrets=secrets_of(source), context=context)


def problems(plugin: base.Source) -> list[str]:
    """Return what is wrong with a source, in sentences; empty when it can be reached."""
    try:
        return plugin.check()
    except SourceMisconfigured as error:
        return [error.message]


def problems_of(
    kind: str, options: Mapping[str, Any], *, secrets: Mapping[str, str], source: Source | None
) -> list[str]:
    """Return what is wrong with settings that are not stored yet, in sentences; what a source keeps is used for it."""
    pk = source.pk if source is not None else uuid.uuid4()
    try:
        found = checked(kind, options, secrets=secrets, source=pk)
        return source_of(kind, found.options, secrets=found.secrets, context=_context(pk)).check()
    except SourceMisconfigured as error:
        return [error.message]
    finally:
        if source is None:
            forget_work(pk)


def options_of(kind: str) -> tuple[base.Option, ...]:
    """Return the settings a kind has.

    :raises SourceMisconfigured: there is no such kind.
    """
    if kind not in SOURCES:
        raise SourceMisconfigured(f"There is no source {kind[:60]!r}; there are {', '.join(SOURCES)}.")
    return SOURCES[kind].options


def titles() -> dict[str, str]:
    """Return the kinds there are, each with its name for people."""
    return {name: plugin.title for name, plugin in SOURCES.items()}


def _context(source: uuid.UUID) -> base.SourceContext:
    return base.SourceContext(
        allow=tuple(settings.EGRESS_ALLOW),
        roots=tuple(Path(folder).expanduser() for folder in settings.SOURCE_FOLDERS),
        private=private_folders(),
        work=work_folder(source),
        limits=base.SourceLimits(item_bytes=settings.MAX_UPLOAD_BYTES),
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
