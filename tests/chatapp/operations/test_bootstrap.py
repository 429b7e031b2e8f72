from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from chatapp.accounts.access import actor_of_key
from chatapp.accounts.models import User
from chatapp.operations import bootstrap
from knowledge.documents.models import Document, DocumentVersion
from knowledge.tenants.models import Membership, Tenant

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

URL = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def _folders(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.SECRET_KEY_PATH = settings.DATA_DIR / "secret-key"
    settings.FILE_UPLOAD_TEMP_DIR = str(settings.DATA_DIR / "tmp")
    settings.STATIC_ROOT = settings.DATA_DIR / "static"
    settings.BASE_DIR = tmp_path / "checkout"
    (tmp_path / "checkout" / "docs" / "decisions").mkdir(parents=True)
    write(settings, "README.md", "# Footnote\n\nTwo commands.\n")
    write(settings, "docs/decisions/README.md", "no heading here\n")
    bootstrap.prepare_data_dir()


def write(settings: Any, name: str, text: str) -> None:
    (Path(settings.BASE_DIR) / name).write_text(text)


def titles() -> dict[str, str]:
    return dict(Document.objects.alive().values_list("name", "title"))


def test_first_start_makes_an_owner_who_can_sign_in_and_call(rf: RequestFactory) -> None:
    created = bootstrap.bootstrap(url=URL)
    assert created is not None
    assert authenticate(rf.post("/"), email=created.email, password=created.password) is not None
    found = actor_of_key(created.api_key)
    assert found is not None
    assert (found[0].tenant_slug, found[0].role) == ("demo", "owner")


def test_file_holds_exactly_the_contract_and_only_its_owner_reads_it() -> None:
    created = bootstrap.bootstrap(url=URL)
    path = bootstrap.first_run_path()
    content = json.loads(path.read_text())
    assert list(content) == ["url", "email", "password", "tenant", "api_key", "knowledge_base"]
    assert created is not None
    assert content["password"] == created.password
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_second_start_changes_nothing_and_tells_no_secret() -> None:
    bootstrap.bootstrap(url=URL)
    before = bootstrap.first_run_path().read_text()
    assert bootstrap.bootstrap(url=URL) is None
    assert bootstrap.first_run_path().read_text() == before
    assert (Tenant.objects.count(), User.objects.count(), DocumentVersion.objects.count()) == (1, 1, 2)


def test_new_port_is_written_beside_the_same_password() -> None:
    bootstrap.bootstrap(url=URL)
    before = json.loads(bootstrap.first_run_path().read_text())
    bootstrap.bootstrap(url="http://127.0.0.1:9000")
    after = json.loads(bootstrap.first_run_path().read_text())
    assert after == {**before, "url": "http://127.0.0.1:9000"}
    assert stat.S_IMODE(bootstrap.first_run_path().stat().st_mode) == 0o600


def test_removed_file_stays_removed() -> None:
    bootstrap.bootstrap(url=URL)
    bootstrap.first_run_path().unlink()
    bootstrap.bootstrap(url=URL)
    assert not bootstrap.first_run_path().exists()


def test_broken_first_start_leaves_no_owner_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(bootstrap, "write_private", full)
    with pytest.raises(OSError, match="No space"):
        bootstrap.bootstrap(url=URL)
    assert not Membership.objects.exists()
    monkeypatch.undo()


def test_documentation_is_queued_under_its_path_with_its_heading() -> None:
    bootstrap.bootstrap(url=URL)
    assert titles() == {"README.md": "Footnote", "docs/decisions/README.md": "docs/decisions/README.md"}


def test_only_changed_pages_become_new_versions(settings: Any) -> None:
    bootstrap.bootstrap(url=URL)
    tenant = Tenant.objects.get()
    assert bootstrap.refresh_documentation(tenant=tenant, root=Path(settings.BASE_DIR)) == 0
    write(settings, "README.md", "# Footnote\n\nThree commands.\n")
    assert bootstrap.refresh_documentation(tenant=tenant, root=Path(settings.BASE_DIR)) == 1
    assert Document.objects.get(name="README.md").latest_number == 2


def test_page_whose_file_is_gone_is_deleted_and_other_documents_stay(settings: Any) -> None:
    bootstrap.bootstrap(url=URL)
    tenant, base = Tenant.objects.get(), Document.objects.all()[0].knowledge_base
    Document.objects.create(tenant=tenant, knowledge_base=base, name="mine.md", title="Mine")
    (Path(settings.BASE_DIR) / "README.md").unlink()
    bootstrap.refresh_documentation(tenant=tenant, root=Path(settings.BASE_DIR))
    assert set(titles()) == {"docs/decisions/README.md", "mine.md"}


def test_base_that_was_deleted_does_not_come_back(settings: Any) -> None:
    from knowledge.documents.models import KnowledgeBase
    from knowledge.documents.services import delete_knowledge_base

    bootstrap.bootstrap(url=URL)
    delete_knowledge_base(base=KnowledgeBase.objects.get(slug="demo"))
    bootstrap.bootstrap(url=URL)
    assert not KnowledgeBase.objects.filter(slug="demo").exists()


def test_secret_key_is_made_once_and_is_private(settings: Any) -> None:
    path = Path(settings.SECRET_KEY_PATH)
    first = path.read_text()
    bootstrap.prepare_data_dir()
    assert path.read_text() == first
    assert settings.SECRET_KEY == first.strip()
    assert len(first) > 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(settings.DATA_DIR).stat().st_mode) == 0o700
