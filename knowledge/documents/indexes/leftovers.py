"""What lies in the data folder and in the index of this installation and belongs to nobody any more."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from knowledge import wiring
from knowledge.documents import files
from knowledge.documents.access import as_uuid
from knowledge.documents.indexes.comparing_files import UPLOAD_TIME
from knowledge.tenants.models import Tenant

__all__ = ["Leftovers", "leftovers"]


@dataclass(slots=True)
class Leftovers:
    """What was found; empty lists where nothing is left."""

    folders: list[str] = field(default_factory=list)  # of files of organisations that are gone
    tenants: list[str] = field(default_factory=list)  # organisations that are gone and have something in the index
    uploads: list[str] = field(default_factory=list)  # uploads that were cut off
    told: list[str] = field(default_factory=list)  # sentences: what only a person can decide

    @property
    def agrees(self) -> bool:
        return not (self.folders or self.tenants or self.uploads)


def leftovers(*, repair: bool, forget: Collection[str] = ()) -> Leftovers:
    """Find what organisations left whose rows are gone, and cut-off uploads; ``repair`` removes it.

    A store or bucket that other installations may share is only cleaned of the organisations that ``forget`` names.
    The rows are read after what lies there: an organisation that is founded meanwhile has its row before its files.
    """
    store = wiring.store()
    folders, tenants = ([name for name in names if as_uuid(name)] for names in (files.folders(""), store.tenants()))
    known = {str(pk) for pk in Tenant.objects.values_list("pk", flat=True)}
    found = Leftovers(
        folders=[name for name in folders if name not in known and not _is_young(name)],
        tenants=[name for name in tenants if name not in known],
        uploads=[str(path) for path in _cut_off()],
    )
    if repair:
        for folder in found.folders:
            if _may(folder, own=files.is_local(), what="the file storage", forget=forget, found=found):
                files.delete_folder(folder)
        for tenant in found.tenants:
            if _may(tenant, own=store.own, what="the search index", forget=forget, found=found):
                store.delete_tenant(tenant=tenant)
        for path in found.uploads:
            Path(path).unlink(missing_ok=True)
    return found


def _may(tenant: str, *, own: bool, what: str, forget: Collection[str], found: Leftovers) -> bool:
    if own or tenant in forget:
        return True
    found.told.append(
        f"An organisation {tenant} has data in {what} and no row here. If it is no other installation's, remove it by "
        f"`manage.py reconcile --repair --forget {tenant}`."
    )
    return False


def _is_young(folder: str) -> bool:
    """Whether somebody wrote there a moment ago, whose row may not be there yet."""
    written = files.last_written(folder)
    return written is not None and written > timezone.now() - UPLOAD_TIME


def _cut_off() -> list[Path]:
    """Return the files of uploads that nobody can be sending any more."""
    old = time.time() - UPLOAD_TIME.total_seconds()
    return sorted(path for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*.upload*") if path.stat().st_mtime < old)
