"""What an operator types: ingest, search, reconcile, rebuild."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from knowledge import wiring
from knowledge.documents import services
from knowledge.documents.indexes import leftovers
from knowledge.documents.management.commands import ingest
from knowledge.documents.models import Document

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "papers"
    for name, text in {
        "a.md": "The otter sleeps.",
        "deep/a.md": "The heron stands.",
        "deep/er/b.txt": "The wren sings.",
        ".hidden.md": "no",
        ".git/config": "no",
        "empty.md": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "link.md").symlink_to(root / "a.md")
    return root


def test_folder_is_stored_with_its_subfolders_and_refusals_are_told(world: Any, folder: Path) -> None:
    out, err = run("ingest", str(folder), "--knowledge-base", "handbook", "--tenant", "acme")
    assert out == "3 files stored in Handbook, 1 refused.\n"
    assert err.strip() == "empty.md: The file is empty."
    names = dict(Document.objects.values_list("name", "title"))
    assert names == {"a.md": "a.md", "deep/a.md": "a.md", "deep/er/b.txt": "b.txt"}
    world.work()
    assert world.search("heron")[0].text == "The heron stands."


def test_same_folder_again_changes_nothing(world: Any, folder: Path) -> None:
    for _ in range(2):
        run("ingest", str(folder), "--knowledge-base", str(world.base.pk))
        world.work()
    assert set(Document.objects.values_list("latest_number", flat=True)) == {1}


def test_single_file_is_named_by_its_last_part(world: Any, folder: Path) -> None:
    run("ingest", str(folder / "deep" / "er" / "b.txt"), "--knowledge-base", "handbook")
    assert Document.objects.get().name == "b.txt"


def test_wait_ends_when_all_are_ready_or_failed(world: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nbroken")
    monkeypatch.setattr(ingest.time, "sleep", lambda _: world.work())  # the worker, meanwhile
    with pytest.raises(CommandError, match="1 documents could not be processed"):
        run("ingest", str(folder), "--knowledge-base", "handbook", "--wait")
    (folder / "broken.pdf").unlink()
    (folder / "a.md").write_text("Another wording.")
    out, _ = run("ingest", str(folder), "--knowledge-base", "handbook", "--wait")
    assert "3 ready, 0 failed." in out


def test_file_that_cannot_be_opened_stops_no_other(world: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def locked(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.name == "b.txt":
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", locked)
    out, err = run("ingest", str(folder), "--knowledge-base", "handbook")
    assert out == "2 files stored in Handbook, 2 refused.\n"
    assert "deep/er/b.txt: Permission denied" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--knowledge-base", "nowhere"), "No such knowledge base. Known: handbook"),
        (("--knowledge-base", "handbook", "--tenant", "nobody"), "There is no tenant 'nobody'."),
    ],
)
def test_wrong_names_are_told(world: Any, folder: Path, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run("ingest", str(folder), *arguments)


def test_path_that_does_not_exist_is_told_before_anything_is_stored(world: Any, folder: Path) -> None:
    with pytest.raises(CommandError, match="Not found: .*nothing-here"):
        run("ingest", str(folder), str(folder / "nothing-here"), "--knowledge-base", "handbook")
    assert not Document.objects.exists()


def test_several_tenants_must_be_told_apart(world: Any, other_world: Any, folder: Path) -> None:
    with pytest.raises(CommandError, match="several tenants"):
        run("ingest", str(folder), "--knowledge-base", "handbook")
    run("ingest", str(folder / "a.md"), "--knowledge-base", "handbook", "--tenant", "globex")
    assert Document.objects.get().knowledge_base == other_world.base


def test_without_a_tenant_the_first_step_is_named(db: None) -> None:
    with pytest.raises(CommandError, match="make run"):
        run("search", "otter")


def test_search_as_json_has_the_shape_of_the_interface(world: Any) -> None:
    document = world.add("# Rest\n\nThe otter sleeps at noon — “always”.", "otters.md")
    out, _ = run("search", "When does the otter sleep?", "--json", "--limit", "1", "--knowledge-base", "handbook")
    answer = json.loads(out)
    [passage] = answer["passages"]
    assert answer["query"] == "When does the otter sleep?"
    assert (passage["document"], passage["title"], passage["version"]) == (str(document.pk), "otters.md", 1)
    assert "“always”" in out
    assert 0 < passage["score"] <= 1


def test_search_for_people(world: Any) -> None:
    assert run("search", "otter")[0] == "Nothing was found.\n"
    world.add("The otter sleeps\nat noon.", "otters.md")
    out, _ = run("search", "otter")
    assert out.startswith("1. otters.md (")
    assert "   The otter sleeps at noon." in out


def test_reconcile_fails_until_it_may_repair(world: Any) -> None:
    leftovers.leftovers(repair=True)  # of the tenants of other tests
    world.add("The otter sleeps.")
    assert run("reconcile")[0] == (
        "acme: 1 live passages, 1 records, 0 missing, 0 orphans, 0 repaired; "
        "0 folders of deleted documents, 0 files removed.\n"
    )
    wiring.store().delete(space=world.space, scope=world.scope)
    with pytest.raises(CommandError, match="run again with --repair"):
        run("reconcile", "--tenant", "acme")
    assert "1 missing, 0 orphans, 1 repaired" in run("reconcile", "--repair")[0]
    assert world.search("otter")
    run("reconcile")


def test_reconcile_of_an_unknown_tenant_is_told(world: Any) -> None:
    with pytest.raises(CommandError, match="There is no tenant 'nobody'"):
        run("reconcile", "--tenant", "nobody")


def test_rebuild_tells_what_it_wrote(world: Any) -> None:
    world.add("The otter sleeps.")
    services.create_knowledge_base(actor=world.actor, name="Empty")
    out, _ = run("rebuild")
    assert sorted(out.splitlines()) == ["Empty: 0 documents, 0 passages.", "Handbook: 1 documents, 1 passages."]
    assert run("rebuild", "--knowledge-base", "empty")[0] == "Empty: 0 documents, 0 passages.\n"
