from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from knowledge.documents import files

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def version(world: Any) -> Any:
    return world.upload("Words.").versions.get()


def test_file_is_replaced_under_its_one_name(version: Any) -> None:
    for data in (b"first", b"second"):
        files.write(version, "part", data)
    assert files.read(version, "part") == b"second"
    assert sorted(default_storage.listdir(version.folder)[1]) == ["original", "part"]


def test_files_are_readable_by_their_owner_only(version: Any) -> None:
    path = Path(default_storage.path(f"{version.folder}/original"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_json_survives_any_text(version: Any) -> None:
    value = {"text": "naïve 東京 \ud800 \x00", "numbers": [1, 2.5, None]}
    files.write_json(version, "value", value)
    assert files.read_json(version, "value") == value


def test_digest_counts_and_leaves_the_upload_usable(version: Any) -> None:
    data = bytes(range(256)) * 10_000
    upload = ContentFile(data)
    upload.read(100)
    assert files.digest(upload) == (hashlib.sha256(data).hexdigest(), len(data))
    files.remove(version, files.ORIGINAL)
    files.save_upload(version, upload)
    assert files.read(version, files.ORIGINAL) == data


def test_folder_is_deleted_with_all_below_it(version: Any) -> None:
    files.write(version, "part", b"x")
    folder = f"{version.document.tenant_id}/{version.document_id}"
    assert files.delete_folder(folder) == 2
    assert not default_storage.exists(folder)
    assert files.delete_folder(folder) == 0
    assert not files.exists(version, "part")
