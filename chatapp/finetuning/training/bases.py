"""Base models: what is trained from. An operator adds one; its files are checked, hashed and kept below MODELS_DIR."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.text import slugify

from chatapp.finetuning.artifacts import file_digest
from chatapp.finetuning.training.models import BaseModel
from chatapp.finetuning.training.weights import BaseRefused, facts_of
from knowledge.documents.access import as_uuid
from knowledge.documents.services import clean_label
from knowledge.errors import NotFound
from knowledge.tenants.access import Actor
from knowledge.tenants.models import Tenant

__all__ = ["BaseNotFound", "access_base", "add_base", "check_files", "folder_of", "visible_bases"]

KEPT = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja",
    "model.safetensors.index.json",
)  # fmt: skip
"""Beside the weights and the licence. Nothing else is copied: nothing else is read."""


class BaseNotFound(NotFound):
    default_message = "No such base model."


def add_base(path: Path, name: str, tenant: Tenant | None = None, *, link: bool = False) -> BaseModel:
    """Check a folder, copy it below MODELS_DIR and store its row; the same files twice are one base model.

    ``link``: weights are linked where the file system can, which takes no room; they must then never be changed.

    :raises BaseRefused: the folder is no model that can be trained from; in words.
    """
    label = clean_label(name, limit=200)
    if not label:
        raise BaseRefused("A base model needs a name.")
    facts = facts_of(path)
    files = {name: file_digest(path / name) for name in _kept(path)}
    digest = _digest(files)
    folder = Path(settings.MODELS_DIR) / f"{slugify(label)[:60] or 'model'}-{digest[:12]}"
    there = BaseModel.objects.filter(digest=digest, tenant=tenant).first()
    if there is not None and folder_of(there).is_dir():
        return there
    if BaseModel.objects.filter(path=str(folder)).exclude(tenant=tenant).exists():
        folder = folder.with_name(f"{folder.name}-{uuid.uuid4().hex[:8]}")  # another organisation's, of the same name
    if not folder.exists():
        _copy(path, list(files), folder, link=link)
    row, _ = BaseModel.objects.update_or_create(
        path=str(folder),
        defaults={
            "tenant": tenant, "name": label, "digest": digest, "files": files, "architecture": facts.architecture,
            "parameters": facts.parameters, "context_window": facts.window, "size": facts.size,
        },
    )  # fmt: skip
    return row


def folder_of(base: BaseModel) -> Path:
    """Return the folder of a base model; one that was stored as a name lies below MODELS_DIR."""
    return Path(settings.MODELS_DIR) / base.path


def check_files(base: BaseModel) -> None:
    """Compare small files by their hash and weights by their size: what is read is what was added.

    The trainer hashes the weights too, while it waits for the imports anyway.

    :raises BaseRefused: something was changed or is gone.
    """
    folder = folder_of(base)
    for name, digest in base.files.items():
        path = folder / name
        if not path.is_file():
            raise BaseRefused(f"{name} of the base model “{base.name}” is gone. Add the model again.")
        if not name.endswith(".safetensors") and file_digest(path) != digest:
            raise BaseRefused(f"{name} of the base model “{base.name}” was changed since it was added. Add it again.")


def visible_bases(*, actor: Actor) -> QuerySet[BaseModel]:
    """Return the base models of the tenant and those for every one; none for those who only read."""
    rows = BaseModel.objects.filter(Q(tenant_id=actor.tenant_id) | Q(tenant=None))
    return rows if actor.can_edit else rows.none()


def access_base(*, actor: Actor, pk: object) -> BaseModel:
    """Return a base model.

    :raises BaseNotFound: it does not exist, belongs to another tenant, or the actor may only read.
    """
    parsed = as_uuid(pk)
    found = visible_bases(actor=actor).filter(pk=parsed).first() if parsed else None
    if found is None:
        raise BaseNotFound
    return found


def _kept(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.is_file()]
    return sorted(
        name for name in names if name in KEPT or name.endswith(".safetensors") or name.upper().startswith("LICEN")
    )


def _digest(files: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{name} {files[name]}\n" for name in sorted(files)).encode()).hexdigest()


def _copy(source: Path, names: list[str], folder: Path, *, link: bool) -> None:
    """Copy beside the place and move there at once: a copy that was cut short is never taken for a model."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder.parent))
    try:
        for name in names:
            origin = (source / name).resolve()  # the caches of model sites are links to files elsewhere
            try:
                if not (link and name.endswith(".safetensors")):
                    raise OSError
                os.link(origin, part / name)
            except OSError:
                shutil.copyfile(origin, part / name)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
