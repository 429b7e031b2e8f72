"""What the embedded store keeps on the disk: folders, by names alone (``lance`` says which)."""

from __future__ import annotations

import shutil
from pathlib import Path

from knowledge.errors import StoreError
from knowledge.stores.common import checked_id

__all__ = ["remove", "tenants"]


def tenants(path: Path) -> list[str]:
    """Return the tenants that have a folder, sorted; other names are not the store's."""
    return sorted(folder.name for folder in path.glob("*") if folder.is_dir() and _is_id(folder.name))


def _is_id(name: str) -> bool:
    try:
        return bool(checked_id(name))
    except StoreError:
        return False


def remove(folder: Path, *, space: str | None) -> None:
    """Remove a tenant's folder, or only the table of a space. Call it under the tenant's lock.

    :raises StoreError: something of it is left.
    """
    for born in folder.glob(f"{space or '*'}.born"):  # readers stop seeing the tables before these go
        born.unlink()
    if space is None:
        shutil.rmtree(folder)
    else:
        shutil.rmtree(folder / f"{space}.lance", ignore_errors=True)
        (folder / f"{space}.dirty").unlink(missing_ok=True)
    if folder.exists() if space is None else any(folder.glob(f"{space}.*")):
        raise StoreError("The tenant's folder is still there after its deletion.")
