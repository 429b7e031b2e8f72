"""Real repositories, on this machine and over real HTTP: what is read, where git may go, and who sees the token."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from git_server import WorkingTree, git_server, has_backend
from local_site import Answer, Site, local_site

from knowledge.sources.base import SourceItemFailed, SourceLimits, SourceMisconfigured
from knowledge.sources.git_repository import Remote, Repository

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is missing; install it with: apt install git")
TOKEN = "s3cret-t0ken"


@pytest.fixture
def tree(tmp_path: Path) -> WorkingTree:
    made = WorkingTree(tmp_path / "repositories" / "handbook")
    made.commit(
        {
            "README.md": "# Handbook", "docs/a.md": "# A", "docs/deep/b é.txt": "b", "src/tool.bin": b"\0",
            ".github/c.md": "hidden", "docs/.d.md": "hidden",
        }
    )  # fmt: skip
    return made


@pytest.fixture
def source(tree: WorkingTree, make_source: Any) -> Any:
    def make(limits: SourceLimits | None = None, **options: object) -> Any:
        return make_source("git", {"url": str(tree.path), **options}, roots=(tree.path.parent,), limits=limits)

    return make


def test_files_of_the_default_branch_are_offered(source: Any, listed: Any, tree: WorkingTree) -> None:
    one = source()
    listing = listed(one)
    assert listing.keys == ["README.md", "docs/a.md", "docs/deep/b é.txt"]
    assert listing.complete
    assert listing["docs/a.md"].fingerprint == tree.git("rev-parse", "HEAD:docs/a.md").strip()
    assert one.fetch(listing["docs/deep/b é.txt"]).data == b"b"
    assert one.check() == []


def test_only_what_changed_has_another_fingerprint(source: Any, listed: Any, tree: WorkingTree) -> None:
    first = listed(source())
    assert listed(source(), first.known).known == first.known
    tree.commit({"docs/a.md": "# A2", "docs/new.md": "n", "README.md": None})
    one = source()
    second = listed(one, first.known)
    assert second.keys == ["docs/a.md", "docs/deep/b é.txt", "docs/new.md"]
    assert [key for key in second.keys if second.known[key] != first.known.get(key)] == ["docs/a.md", "docs/new.md"]
    assert one.fetch(second["docs/a.md"]).data == b"# A2"


def holds(work: Path, blob: str) -> bool:
    command = ["git", f"--git-dir={work}/repository.git", "cat-file", "-e", blob]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_what_the_branch_has_no_more_leaves_the_clone(
    source: Any, listed: Any, tree: WorkingTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    listed(source())
    first, second = (tree.git("rev-parse", f"HEAD:{path}").strip() for path in ("docs/a.md", "docs/deep/b é.txt"))
    assert holds(work, first)
    (work / "repository.git" / "objects" / "pack" / "pack-of-a-killed-run.keep").touch()
    tree.commit({"docs/a.md": None})
    listed(source())
    assert (holds(work, first), holds(work, second)) == (False, True)
    tree.commit({"docs/deep/b é.txt": None})

    def killed(repository: Repository, *arguments: str, **more: Any) -> bytes:
        if arguments[0] == "gc":
            raise KeyboardInterrupt
        return run(repository, *arguments, **more)

    run = Repository._git
    with monkeypatch.context() as patch:
        patch.setattr(Repository, "_git", killed)
        with pytest.raises(KeyboardInterrupt):
            listed(source())
    assert holds(work, second)
    listed(source())  # nothing moved meanwhile
    assert not holds(work, second)


def test_clone_is_shallow_and_small_after_many_runs(
    source: Any, listed: Any, tree: WorkingTree, tmp_path: Path
) -> None:
    for number in range(13):
        tree.commit({"docs/a.md": f"# {number}"})
        assert listed(source()).complete
    packs = list((tmp_path / "work" / "repository.git" / "objects" / "pack").glob("*.pack"))
    assert len(packs) == 1
    count = subprocess.run(
        ["git", f"--git-dir={tmp_path / 'work'}/repository.git", "rev-list", "--count", "refs/footnote/head"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert count.stdout.strip() == "1"


def test_branch_folder_and_patterns_choose(source: Any, listed: Any, tree: WorkingTree) -> None:
    tree.git("checkout", "--quiet", "-b", "release/1.0")
    tree.commit({"docs/r.md": "r"})
    tree.git("checkout", "--quiet", "main")
    assert "docs/r.md" in listed(source(branch="release/1.0")).keys
    assert listed(source(folder="/docs/")).keys == ["docs/a.md", "docs/deep/b é.txt"]
    assert listed(source(include=["*.md"], exclude=["docs/**"])).keys == ["README.md"]


@pytest.mark.parametrize(
    ("options", "says"), [({"branch": "none"}, "no such branch"), ({"folder": "none"}, "folder does not exist")]
)
def test_what_is_not_there_is_said_and_withdraws_nothing(source: Any, listed: Any, options: Any, says: str) -> None:
    listing = listed(source(**options), {"README.md": "x"})
    assert (listing.items, listing.complete) == ([], False)
    assert says in listing.problems[0].message


def test_empty_repository_is_said(make_source: Any, listed: Any, tmp_path: Path) -> None:
    WorkingTree(tmp_path / "empty")
    one = make_source("git", {"url": str(tmp_path / "empty")}, roots=(tmp_path,))
    assert "no commit yet" in listed(one).problems[0].message
    assert one.check()


def test_links_and_submodules_are_left_out(source: Any, listed: Any, tree: WorkingTree) -> None:
    (tree.path / "docs" / "link.md").symlink_to("/etc/passwd")
    commit = tree.git("rev-parse", "HEAD").strip()
    tree.git("update-index", "--add", "--cacheinfo", f"160000,{commit},docs/module.md")
    tree.commit({"docs/e.md": "e"})
    assert [key for key in listed(source()).keys if key.startswith("docs/")] == [
        "docs/a.md",
        "docs/deep/b é.txt",
        "docs/e.md",
    ]


def test_hooks_and_settings_of_the_user_do_nothing(
    source: Any, listed: Any, tree: WorkingTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker, home = tmp_path / "ran", tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    hook = home / "hooks" / "reference-transaction"
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(f'[core]\n hooksPath = {home}/hooks\n[url "/nowhere"]\n insteadOf = {tree.path}\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"{home}/hooks")
    assert listed(source()).complete
    assert not marker.exists()


def test_pointer_of_large_file_storage_is_said(source: Any, listed: Any, tree: WorkingTree) -> None:
    tree.commit({"big.pdf": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"})
    one = source()
    with pytest.raises(SourceItemFailed, match="LFS"):
        one.fetch(listed(one)["big.pdf"])


def test_large_file_and_odd_name_are_problems(source: Any, listed: Any, tree: WorkingTree) -> None:
    tree.commit({"big.md": "x" * 3000})
    (Path(os.fsdecode(os.fsencode(tree.path) + b"/\xff.md"))).write_text("x")
    tree.commit({"z.md": "z"})
    listing = listed(source(limits=SourceLimits(item_bytes=2000)))
    assert [problem.key for problem in listing.problems] == ["big.md", "\ufffd.md"]
    assert listing.complete


def test_listing_beyond_the_limit_is_incomplete(source: Any, listed: Any) -> None:
    listing = listed(source(limits=SourceLimits(items=2)))
    assert (len(listing.items), listing.complete) == (2, False)


@pytest.mark.skipif(not Path("/proc").exists(), reason="file sizes are limited on Linux only")
def test_repository_beyond_the_limit_is_given_up(source: Any, listed: Any, tree: WorkingTree) -> None:
    tree.commit({"noise.bin": os.urandom(3_000_000)})
    listing = listed(source(limits=SourceLimits(repository_bytes=1_000_000)))
    assert (listing.items, listing.complete) == ([], False)
    assert listing.problems[0].message.startswith("The repository is larger than the limit")
    assert listed(source()).complete  # nothing of it is in the way


def test_run_after_a_killed_one_goes_on(source: Any, listed: Any, tree: WorkingTree, tmp_path: Path) -> None:
    assert listed(source()).complete
    folder = tmp_path / "work" / "repository.git"
    (folder / "shallow.lock").touch()
    (folder / "refs" / "footnote" / "head.lock").touch()
    (folder / "objects" / "pack" / "tmp_pack_x").write_bytes(b"x")
    tree.commit({"docs/a.md": "# new"})
    assert listed(source()).complete
    (folder / "HEAD").unlink()
    assert listed(source()).complete


def test_another_machine_fetches_what_was_listed_here(source: Any, listed: Any, tmp_path: Path) -> None:
    item = listed(source())["docs/a.md"]
    shutil.rmtree(tmp_path / "work")
    assert source().fetch(item).data == b"# A"


def test_other_address_makes_another_clone(make_source: Any, listed: Any, tree: WorkingTree) -> None:
    other = WorkingTree(tree.path.parent / "other")
    other.commit({"o.md": "o"})
    for path, keys in ((tree.path, 3), (other.path, 1), (tree.path, 3)):
        assert len(listed(make_source("git", {"url": str(path)}, roots=(tree.path.parent,))).items) == keys


def test_git_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nsleep 30 & wait\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    start = time.monotonic()
    with pytest.raises(Exception, match="longer than the limit"):
        Repository(tmp_path / "work", Remote(address="/x", transport="file"), SourceLimits(seconds=1)).probe("")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("version", ["git version 2.36.9", "nonsense"])
def test_git_that_cannot_be_pinned_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f"#!/bin/sh\necho {version}\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(Exception, match="2.37 or newer"):
        Repository(tmp_path / "work", Remote(address="/x", transport="file"), SourceLimits()).update("")


@pytest.mark.parametrize(
    "options",
    [
        {"url": "/etc"}, {"url": "git@example.org:a/b.git"}, {"url": "ssh://example.org/a"}, {"url": "file:///etc"},
        {"url": "git://example.org/a"}, {"url": "ext::sh -c id"}, {"url": "https://user:pass@example.org/a"},
        {"url": "--upload-pack=id"}, {"url": "https://example.org/a", "branch": "--upload-pack=id"},
        {"url": "https://example.org/a", "branch": "a:b"}, {"url": "https://example.org/a", "branch": "a..b"},
        {"url": "https://example.org/a", "folder": "../x"}, {"url": "https://example.org/a", "folder": "a//b"},
    ],
)  # fmt: skip
def test_settings_that_would_mean_something_else_are_refused(make_source: Any, options: dict[str, str]) -> None:
    with pytest.raises(SourceMisconfigured):
        make_source("git", options)


def test_token_is_not_sent_in_the_clear(make_source: Any) -> None:
    with pytest.raises(SourceMisconfigured, match="https only"):
        make_source("git", {"url": "http://wiki.internal/a.git"}, secrets={"token": TOKEN})


# --- over HTTP

needs_backend = pytest.mark.skipif(
    not has_backend(), reason="git-http-backend is missing; install it with: apt install git"
)


@pytest.fixture
def server(tree: WorkingTree) -> Iterator[Site]:
    with git_server(tree.path.parent) as site:
        yield site


@needs_backend
def test_repository_is_read_over_http(server: Site, make_source: Any, listed: Any) -> None:
    one = make_source("git", {"url": f"{server.url}/handbook/.git"})
    listing = listed(one)
    assert listing.keys == ["README.md", "docs/a.md", "docs/deep/b é.txt"]
    assert one.fetch(listing["README.md"]).data == b"# Handbook"
    assert one.check() == []


@needs_backend
def test_host_is_connected_to_where_it_was_looked_up(
    server: Site, make_source: Any, listed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name server knows the name: git reaches it only by the address that was checked."""
    from knowledge.egress import resolving

    monkeypatch.setattr(resolving, "system_resolver", lambda host, seconds: ["127.0.0.1"])
    one = make_source("git", {"url": f"http://git.invalid:{server.port}/handbook/.git"}, allow=("git.invalid",))
    assert listed(one).complete
    assert server.asked[0].headers["host"] == f"git.invalid:{server.port}"


@needs_backend
def test_internal_and_public_http_are_refused(server: Site, make_source: Any, listed: Any, monkeypatch: Any) -> None:
    from knowledge.egress import resolving

    one = make_source("git", {"url": f"{server.url}/handbook/.git"}, allow=())
    assert "EGRESS_ALLOW" in listed(one).problems[0].message
    monkeypatch.setattr(resolving, "system_resolver", lambda host, seconds: ["93.184.216.34"])
    assert "over https" in make_source("git", {"url": "http://example.org/a.git"}).check()[0]
    assert server.asked == []


@needs_backend
def test_redirect_is_not_followed(server: Site, make_source: Any, listed: Any) -> None:
    with local_site() as sink:
        server.fallback = lambda asked: Answer(status=302, headers={"Location": f"{sink.url}{asked.path}"})
        listing = listed(make_source("git", {"url": f"{server.url}/handbook/.git"}))
        assert "redirects" in listing.problems[0].message
        assert sink.asked == []


@needs_backend
def test_environment_sends_git_nowhere_else(server: Site, make_source: Any, listed: Any, monkeypatch: Any) -> None:
    with local_site() as sink:
        for name in ("http_proxy", "https_proxy", "all_proxy", "GIT_PROXY_COMMAND"):
            monkeypatch.setenv(name, sink.url)
        assert listed(make_source("git", {"url": f"{server.url}/handbook/.git"})).complete
        assert sink.asked == []


@needs_backend
def test_token_travels_in_the_environment_only(
    tree: WorkingTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the clone itself: the source sends a token over https alone."""
    started: list[list[str]] = []
    popen = subprocess.Popen

    def watched(command: Any, *arguments: Any, **options: Any) -> Any:
        started.append([str(part) for part in command])
        return popen(command, *arguments, **options)

    with git_server(tree.path.parent, token=TOKEN) as site:
        monkeypatch.setattr(subprocess, "Popen", watched)
        address = f"{site.url}/handbook/.git"
        given = Remote(address=address, origin=site.url, transport="http", user="git", token=TOKEN)
        Repository(tmp_path / "work", given, SourceLimits()).update("")
        wrong = Remote(address=address, origin=site.url, transport="http", user="git", token="other")
        with pytest.raises(Exception, match="Check the user name and the token"):
            Repository(tmp_path / "wrong", wrong, SourceLimits()).update("")
        none = Remote(address=address, origin=site.url, transport="http")
        with pytest.raises(Exception, match="asks for a sign-in"):
            Repository(tmp_path / "none", none, SourceLimits()).probe("")
    ours = [command for command in started if command[0] == "git"]
    assert ours
    assert not any(TOKEN in part for command in ours for part in command)
    assert TOKEN not in repr(given)
    kept = [path for path in (tmp_path / "work").rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []


def test_files_of_known_hosts_can_be_opened(make_source: Any) -> None:
    for host, inner in (("github.com", "blob"), ("gitlab.com", "-/blob")):
        one = make_source("git", {"url": f"https://{host}/team/book.git", "branch": "main"})
        assert one._uri("a b.md") == f"https://{host}/team/book/{inner}/main/a%20b.md"
