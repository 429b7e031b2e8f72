"""A stored secret stays with the server it was entered for."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge.errors import SourceMisconfigured
from knowledge.syncing import services
from knowledge.syncing.models import Source
from knowledge.syncing.secrets import ADDRESS_CHANGED, secrets_after, secrets_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def repository(actor: Any, base: Any) -> Source:
    return services.create_source(
        actor=actor, base=base, kind="git", name="Handbook", options={"url": "https://git.example.org/handbook.git"},
        secrets={"token": "hunter2"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "url",
    ["https://elsewhere.example/handbook.git", "https://git.example.org:8443/handbook.git", "http://git.example.org/x"],
)
def test_a_kept_secret_does_not_go_to_another_server(repository: Source, url: str) -> None:
    with pytest.raises(SourceMisconfigured, match=ADDRESS_CHANGED):
        services.update_source(source=repository, changes={"options": {"url": url}})
    row = Source.objects.get()
    assert row.options["url"] == "https://git.example.org/handbook.git"
    assert secrets_of(row) == {"token": "hunter2"}
    with pytest.raises(SourceMisconfigured, match=ADDRESS_CHANGED):
        secrets_after(row, options={"url": url}, given={})


def test_another_path_of_the_server_keeps_the_secret_and_one_entered_again_goes_along(repository: Source) -> None:
    services.update_source(source=repository, changes={"options": {"url": "HTTPS://GIT.example.org:443/other.git"}})
    row = Source.objects.get()
    assert secrets_of(row) == {"token": "hunter2"}
    elsewhere = {"options": {"url": "https://elsewhere.example/x.git"}}
    services.update_source(source=row, changes={**elsewhere, "secrets": {"token": "new"}})
    assert secrets_of(Source.objects.get()) == {"token": "new"}
    back = {"options": {"url": "https://git.example.org/handbook.git"}, "secrets": {"token": ""}}
    services.update_source(source=row, changes=back)
    assert Source.objects.get().sealed == ""


def test_both_keys_of_a_bucket_are_asked_for_again(actor: Any, base: Any) -> None:
    keys = {"access_key": "A", "secret_key": "S"}
    source = services.create_source(
        actor=actor, base=base, kind="s3", name="Bucket", options={"bucket": "papers"}, secrets=keys
    )
    moved = {"bucket": "papers", "endpoint": "https://minio.example.org"}
    for given in ({}, {"access_key": "B"}):
        with pytest.raises(SourceMisconfigured, match=ADDRESS_CHANGED):
            services.update_source(source=source, changes={"options": moved, "secrets": given})
    services.update_source(source=source, changes={"options": moved, "secrets": {"access_key": "B", "secret_key": "T"}})
    assert secrets_of(source) == {"access_key": "B", "secret_key": "T"}
