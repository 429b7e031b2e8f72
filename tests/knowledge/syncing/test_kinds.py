"""Real places through the database: a website on loopback, a Git repository, a folder."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from git_server import WorkingTree
from local_site import Answer, Site, local_site

from knowledge.documents.models import Document
from knowledge.errors import SourceMisconfigured
from knowledge.sources.plugins import SOURCES
from knowledge.syncing import kinds, services

pytestmark = pytest.mark.django_db(transaction=True)


def counts(run: Any) -> dict[str, int]:
    assert run.state == "done", run.last_error
    return {name: number for name, number in run.counts.items() if number}


def html(title: str, text: str, *links: str) -> str:
    anchors = "".join(f'<a href="{link}">more</a>' for link in links)
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p>{anchors}</body></html>"


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    with local_site() as one:
        one.pages["/wiki/"] = html("Wiki", "Where everything is.", "pool", "sauna")
        one.pages["/wiki/pool"] = html("Pool", "The pool opens at six.")
        one.pages["/wiki/sauna"] = html("Sauna", "The sauna is heated on Thursdays.")
        yield one


@pytest.fixture
def website(actor: Any, base: Any, site: Site) -> Any:
    options = {"url": f"{site.url}/wiki/", "pause": 0}
    return services.create_source(actor=actor, base=base, kind="website", name="Wiki", options=options)


def test_a_website_becomes_documents_with_titles_and_addresses(website: Any, site: Site, sync: Any, world: Any) -> None:
    assert counts(sync(website)) == {"listed": 3, "added": 3}
    world.work()
    assert dict(Document.objects.values_list("title", "status")) == {"Wiki": "ready", "Pool": "ready", "Sauna": "ready"}
    assert Document.objects.get(title="Pool").source_uri == f"{site.url}/wiki/pool"
    assert world.search("When does the pool open?")[0].title == "Pool"
    assert counts(sync(website)) == {"listed": 3, "unchanged": 3}
    site.pages["/wiki/pool"] = html("Pool", "The pool opens at half past eight.")
    assert counts(sync(website)) == {"listed": 3, "unchanged": 2, "changed": 1}
    world.work()
    assert "half past eight" in world.search("When does the pool open?")[0].text
    site.pages["/wiki/"] = html("Wiki", "Where everything is.", "pool")
    del site.pages["/wiki/sauna"]
    assert counts(sync(website)) == {"listed": 2, "unchanged": 1, "changed": 1, "withdrawn": 1}
    assert set(Document.objects.alive().values_list("title", flat=True)) == {"Wiki", "Pool"}


def test_a_website_that_is_down_withdraws_nothing(website: Any, site: Site, sync: Any) -> None:
    sync(website)
    site.pages = {path: Answer("broken", 500) for path in site.pages}
    run = sync(website)
    assert run.errors
    assert run.counts["withdrawn"] == 0
    assert Document.objects.alive().count() == 3


def test_addresses_of_the_own_network_are_refused_in_words(
    actor: Any, base: Any, site: Site, sync: Any, settings: Any
) -> None:
    settings.EGRESS_ALLOW = []
    options = {"url": f"{site.url}/wiki/", "pause": 0}
    source = services.create_source(actor=actor, base=base, kind="website", name="Inside", options=options)
    assert kinds.problems(kinds.plugin_of(source))
    run = sync(source)
    assert run.counts.get("added", 0) == 0
    assert run.errors or run.last_error
    assert site.asked == []


@pytest.mark.skipif(not shutil.which("git"), reason="git is missing; install it with: apt install git")
def test_a_repository_is_followed_by_its_commits(
    actor: Any, base: Any, sync: Any, settings: Any, tmp_path: Path
) -> None:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    tree = WorkingTree(tmp_path / "handbook")
    tree.commit({"README.md": "# Handbook", "docs/a.md": "# A", "docs/b.md": "# B"})
    source = services.create_source(
        actor=actor, base=base, kind="git", name="Handbook", options={"url": str(tree.path)}
    )
    assert kinds.problems(kinds.plugin_of(source)) == []
    assert counts(sync(source)) == {"listed": 3, "added": 3}
    assert counts(sync(source)) == {"listed": 3, "unchanged": 3}
    tree.commit({"docs/a.md": "# A, changed", "docs/b.md": None, "docs/c.md": "# C"})
    assert counts(sync(source)) == {"listed": 3, "unchanged": 1, "changed": 1, "added": 1, "withdrawn": 1}
    work = kinds.work_folder(source.pk)
    assert any(work.iterdir())
    services.delete_source(source=source, actor=actor, withdraw=False)
    assert not work.exists()


def test_what_a_deleted_base_left_on_the_disk_is_removed(source: Any, base: Any) -> None:
    work = kinds.work_folder(source.pk)
    work.mkdir(parents=True)
    young = kinds.work_folder(uuid.uuid4())
    young.mkdir()
    os.utime(work, (0, 0))
    assert kinds.forget_lost_work() == 0
    base.delete()
    assert (kinds.forget_lost_work(), work.exists(), young.exists()) == (1, False, True)
    young.rmdir()


def test_a_folder_whose_disk_is_gone_withdraws_nothing(
    actor: Any, base: Any, sync: Any, settings: Any, tmp_path: Path
) -> None:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    folder = tmp_path / "disk"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.md").write_text(f"Number {n}.")
    source = services.create_source(actor=actor, base=base, kind="folder", name="Disk", options={"path": str(folder)})
    assert counts(sync(source)) == {"listed": 3, "added": 3}
    os.rename(folder, tmp_path / "elsewhere")
    run = sync(source)
    assert "cannot be opened" in run.errors[0]["message"]
    folder.mkdir()  # the empty place where it was mounted
    run = sync(source)
    assert "None is withdrawn" in run.errors[0]["message"]
    assert Document.objects.alive().count() == 3
    folder.rmdir()
    os.rename(tmp_path / "elsewhere", folder)
    assert counts(sync(source)) == {"listed": 3, "unchanged": 3}


def test_a_root_that_was_closed_again_ends_the_run_in_words(
    actor: Any, base: Any, sync: Any, settings: Any, tmp_path: Path
) -> None:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    source = services.create_source(actor=actor, base=base, kind="folder", name="Disk", options={"path": str(tmp_path)})
    settings.SOURCE_FOLDERS = []
    run = sync(source)
    assert (run.state, "SOURCE_FOLDERS" in run.last_error) == ("failed", True)


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_says_its_settings_as_the_form_draws_them(kind: str) -> None:
    options = kinds.options_of(kind)
    assert kinds.titles()[kind]
    assert len({option.name for option in options}) == len(options)
    for option in options:
        assert option.label
        assert option.kind in ("text", "number", "switch", "secret", "lines")
        assert option.name.isidentifier()


def test_a_folder_source_cannot_read_the_data_of_the_product(
    actor: Any, base: Any, settings: Any, tmp_path: Path
) -> None:
    settings.SOURCE_FOLDERS = ["/"]
    for folder in (settings.DATA_DIR, Path(settings.DATA_DIR) / "files", settings.BASE_DIR, "/"):
        with pytest.raises(SourceMisconfigured, match="data of this product itself"):
            kinds.checked("folder", {"path": str(folder)}, secrets={}, source=uuid.uuid4())
    assert kinds.checked("folder", {"path": str(tmp_path)}, secrets={}, source=uuid.uuid4()).options
