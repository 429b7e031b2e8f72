"""The first start: an organisation, its owner, a key, and the product's own documentation to ask about.

Later starts only refresh what may have changed: the address, the model of the environment, the documentation.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction

from chatapp.operations.paths import private_folder, write_private
from knowledge.documents.models import KnowledgeBase
from knowledge.tenants.access import Actor, system_actor
from knowledge.tenants.models import Membership, Tenant

logger = logging.getLogger(__name__)

TENANT = "demo"
KNOWLEDGE_BASE = "demo"
OWNER_EMAIL = "owner@example.com"
DOCUMENTATION = ("README.md", "docs/**/*.md")
HEADING = re.compile(r"^#\s+(.+?)\s*#*\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """What ``first-run.json`` holds."""

    url: str
    email: str
    password: str
    tenant: str
    api_key: str
    knowledge_base: str

    def text(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, indent=2) + "\n"


def first_run_path() -> Path:
    return Path(settings.DATA_DIR) / "first-run.json"


def prepare_data_dir() -> None:
    """Create the data folders (private) and the secret key, and make this process use the key."""
    private_folder(Path(settings.DATA_DIR))
    private_folder(Path(settings.FILE_UPLOAD_TEMP_DIR))
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    path = Path(settings.SECRET_KEY_PATH)
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(48) + "\n")
        if not settings.SECRET_KEY_GIVEN:
            settings.SECRET_KEY = path.read_text(encoding="utf-8").strip()


def bootstrap(*, url: str) -> FirstRun | None:
    """Make the first organisation where there is none, and refresh what follows the code and environment.

    Returns what was created, the password and the key in it, or None when all was there already.
    """
    created = None
    tenant = Tenant.objects.filter(slug=TENANT, memberships__role=Membership.Role.OWNER).first()
    if tenant is None:
        created = _create(url)
        tenant = Tenant.objects.get(slug=TENANT)
    else:
        _rewrite_url(url)
    _refresh_assistant(tenant)
    refresh_documentation(tenant=tenant, root=Path(settings.BASE_DIR))
    return created


@transaction.atomic
def _create(url: str) -> FirstRun:
    """Create all rows and write the file in one transaction: never a password that nobody was told."""
    from chatapp.accounts.services import create_user, issue_api_key
    from knowledge.documents.services import create_knowledge_base

    tenant, _ = Tenant.objects.get_or_create(slug=TENANT, defaults={"name": "Demo"})
    password = secrets.token_urlsafe(15)
    # The first owner is also the operator of this machine, who may open the admin.
    owner = create_user(email=OWNER_EMAIL, password=password, staff=True, superuser=True)
    Membership.objects.create(tenant=tenant, user=owner, role=Membership.Role.OWNER)
    _, key = issue_api_key(user=owner, tenant=tenant, name="First key")
    base = create_knowledge_base(
        actor=system_actor(tenant),
        name="Footnote documentation",
        slug=KNOWLEDGE_BASE,
        description="The product's own documentation, so that the first question can be asked at once.",
    )
    first = FirstRun(
        url=url, email=OWNER_EMAIL, password=password, tenant=tenant.slug, api_key=key, knowledge_base=base.slug
    )
    write_private(first_run_path(), first.text())
    return first


def _rewrite_url(url: str) -> None:
    """Keep the address in the file true when the port changed; a file the operator removed stays removed."""
    path = first_run_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(content, dict) and content.get("url") != url:
        write_private(path, json.dumps({**content, "url": url}, indent=2) + "\n")


def _refresh_assistant(tenant: Tenant) -> None:
    from chatapp.conversations.services import ensure_default_assistant
    from chatapp.language_models.services import sync_environment_model

    model = sync_environment_model(tenant=tenant)
    bases = list(KnowledgeBase.objects.filter(tenant=tenant, slug=KNOWLEDGE_BASE, deleting=False))
    ensure_default_assistant(tenant=tenant, knowledge_bases=bases, language_model=model)


def refresh_documentation(*, tenant: Tenant, root: Path) -> int:
    """Queue every changed page of the documentation below ``root`` and return how many there were.

    A page whose file is gone is deleted. A base that the operator deleted does not come back.
    """
    from knowledge.documents import services

    base = KnowledgeBase.objects.filter(tenant=tenant, slug=KNOWLEDGE_BASE, deleting=False).first()
    if base is None:
        return 0
    actor, changed = system_actor(tenant), 0
    known = {document.name: document for document in base.documents.alive().filter(metadata__bundled=True)}
    pages = {path.relative_to(root).as_posix(): path for pattern in DOCUMENTATION for path in root.glob(pattern)}
    for name, path in sorted(pages.items()):
        before = known[name].latest_number if name in known else 0
        changed += _upload_page(actor, base, name=name, content=path.read_bytes(), new=name not in known) != before
    for name in known.keys() - pages.keys():
        services.delete_document(document=known[name])
    logger.info("Documentation: %s pages, %s changed", len(pages), changed)
    return changed


def _upload_page(actor: Actor, base: KnowledgeBase, *, name: str, content: bytes, new: bool) -> int:
    """Upload one page and return the number of its newest version."""
    from knowledge.documents.services import upload_document

    if not content.strip():
        return 0
    heading = HEADING.search(content.decode("utf-8", errors="replace"))
    document = upload_document(
        actor=actor,
        base=base,
        upload=ContentFile(content),
        filename=name.rsplit("/", 1)[-1],
        title=heading.group(1) if heading else name,
        source_uri=name,
        metadata={"bundled": True} if new else None,
    )
    return document.latest_number
