"""A folder below an opened root: what is offered, what stays outside, and what a fault must not withdraw."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from knowledge.sources.base import Source, SourceItemFailed, SourceLimits, SourceMisconfigured


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "open" / "handbook"
    (folder / "rules").mkdir(parents=True)
    (folder / "a.md").write_text("# A")
    (folder / "rules" / "b.txt").write_text("b")
    (folder / "rules" / "tool.bin").write_bytes(b"\0")
    (folder / ".hidden.md").write_text("no")
    (folder / ".git").mkdir()
    (folder / ".git" / "c.md").write_text("no")
    return folder


@pytest.fixture
def source(root: Path, make_source: Any) -> Any:
    def make(limits: SourceLimits | None = None, **options: object) -> Source:
        return make_source("folder", {"path": str(root), **options}, roots=(root.parent,), limits=limits)

    return make


def test_readable_files_are_offered_by_relative_path(source: Any, listed: Any) -> None:
    listing = listed(source())
    assert listing.keys == ["a.md", "rules/b.txt"]
    assert listing.complete
    assert listing.problems == []
    assert listing["rules/b.txt"].filename == "b.txt"


def test_fetched_bytes_carry_the_fingerprint_of_the_listing(source: Any, listed: Any) -> None:
    one = source()
    item = listed(one)["rules/b.txt"]
    fetched = one.fetch(item)
    assert fetched.data == b"b"
    assert fetched.item == item


def test_fingerprint_changes_with_the_file_and_only_then(source: Any, listed: Any, root: Path) -> None:
    before = listed(source()).known
    assert listed(source(), before).known == before
    (root / "a.md").write_text("# B")
    os.utime(root / "a.md", ns=(1, time.time_ns() + 1))
    after = listed(source(), before).known
    assert [key for key in after if after[key] != before[key]] == ["a.md"]


def test_a_thousand_unchanged_files_are_listed_in_well_under_a_second(source: Any, listed: Any, root: Path) -> None:
    for number in range(1000):
        (root / "rules" / f"{number}.md").write_text(str(number))
    known = listed(source()).known
    start = time.process_time()
    assert listed(source(), known).known == known
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("include", "exclude", "keys"),
    [
        (["*.md"], [], ["a.md"]),
        (["rules/**"], [], ["rules/b.txt"]),
        (["/*.txt"], [], []),
        (["**/b.*"], [], ["rules/b.txt"]),
        ([], ["rules"], ["a.md"]),
        ([], "*.txt\n*.md", []),
    ],
)
def test_patterns_choose(source: Any, listed: Any, include: Any, exclude: Any, keys: list[str]) -> None:
    assert listed(source(include=include, exclude=exclude)).keys == keys


def test_pattern_of_stars_takes_no_time(source: Any, listed: Any, root: Path) -> None:
    (root / ("a" * 200 + ".md")).write_text("x")
    start = time.process_time()
    assert listed(source(include=["*a" * 60 + "b", "**/" * 60 + "b"])).keys == []
    assert time.process_time() - start < 0.5


def test_links_are_never_followed(source: Any, listed: Any, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (root / "out.md").symlink_to(tmp_path / "secret.md")
    (root / "up").symlink_to(tmp_path)
    (root / "loop").symlink_to(root)
    assert listed(source()).keys == ["a.md", "rules/b.txt"]


@pytest.mark.parametrize("swapped", ["rules", "rules/b.txt"])
def test_link_swapped_in_after_the_listing_is_not_read(
    source: Any, listed: Any, root: Path, tmp_path: Path, swapped: str
) -> None:
    one = source()
    item = listed(one)["rules/b.txt"]
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b.txt").write_text("secret")
    (root / swapped).rename(tmp_path / "away")
    (root / swapped).symlink_to(tmp_path / "outside" / ("b.txt" if "." in swapped else ""))
    with pytest.raises(SourceItemFailed):
        one.fetch(item)


@pytest.mark.parametrize("key", ["../secret.md", "/etc/passwd", "rules/../../x.md", "", "a\0.md", "rules//b.txt"])
def test_key_that_is_no_path_below_is_refused(source: Any, listed: Any, root: Path, key: str) -> None:
    from dataclasses import replace

    (root.parent / "secret.md").write_text("secret")
    one = source()
    item = listed(one)["a.md"]
    with pytest.raises(SourceItemFailed):
        one.fetch(replace(item, key=key))


def test_file_gone_after_the_listing_is_a_sentence(source: Any, listed: Any, root: Path) -> None:
    one = source()
    item = listed(one)["a.md"]
    (root / "a.md").unlink()
    with pytest.raises(SourceItemFailed, match="cannot be opened: no such file"):
        one.fetch(item)


def test_pipe_does_not_hang_the_run(source: Any, listed: Any, root: Path) -> None:
    one = source()
    item = listed(one)["a.md"]
    (root / "a.md").unlink()
    os.mkfifo(root / "a.md")
    assert listed(source()).keys == ["rules/b.txt"]
    with pytest.raises(SourceItemFailed, match="no longer a file"):
        one.fetch(item)


def test_large_file_is_a_problem_with_its_key(source: Any, listed: Any, root: Path) -> None:
    (root / "big.md").write_bytes(b"x" * 3_000_000)
    listing = listed(source(limits=SourceLimits(item_bytes=2_000_000)))
    assert [(problem.key, problem.message) for problem in listing.problems] == [
        ("big.md", "The file has 2.9 MB; at most 1.9 MB are read.")
    ]
    assert listing.complete


def test_name_that_is_no_text_is_a_problem(source: Any, listed: Any, root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/\xff.md"))).write_text("x")
    listing = listed(source())
    assert "not valid text" in listing.problems[0].message
    listing.problems[0].key.encode()


def test_folder_that_cannot_be_opened_makes_the_listing_incomplete(
    source: Any, listed: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def failing(path: Any) -> Any:
        if str(path).rstrip("/").endswith("rules"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    listing = listed(source())
    assert listing.keys == ["a.md"]
    assert not listing.complete
    assert [problem.key for problem in listing.problems] == ["rules/"]


def test_missing_folder_is_incomplete_and_said(source: Any, listed: Any, root: Path) -> None:
    root.rename(root.with_name("moved"))
    listing = listed(source(), {"a.md": "1"})
    assert (listing.items, listing.complete) == ([], False)
    assert "no such file" in source().check()[0]


def test_unmounted_disk_withdraws_nothing(source: Any, listed: Any, root: Path) -> None:
    known = listed(source()).known
    root.rename(root.with_name("moved"))
    root.mkdir()
    listing = listed(source(), known)
    assert not listing.complete
    assert "None is withdrawn" in listing.problems[0].message
    assert listed(source()).complete  # with nothing known, nothing can be lost


def test_listing_beyond_the_limit_is_incomplete(source: Any, listed: Any) -> None:
    listing = listed(source(limits=SourceLimits(items=1)))
    assert listing.keys == ["a.md"]
    assert not listing.complete
    assert "more than 1 documents" in listing.problems[0].message


@pytest.mark.parametrize("path", ["/etc", "../open/handbook", "{root}/../../secret", "{root}\0", "{link}"])
def test_folder_outside_the_opened_ones_is_refused(make_source: Any, root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").mkdir()
    link = root.parent / "link"
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(SourceMisconfigured):
        make_source("folder", {"path": path.format(root=root, link=link)}, roots=(root.parent,))


def test_no_folder_is_open_by_default(make_source: Any, root: Path) -> None:
    with pytest.raises(SourceMisconfigured, match="SOURCE_FOLDERS"):
        make_source("folder", {"path": str(root)})


@pytest.mark.parametrize("kind", ["folder", "git"])
@pytest.mark.parametrize("path", ["", "data", "data/sources", "link"])
def test_the_products_own_data_is_never_a_source(make_source: Any, tmp_path: Path, kind: str, path: str) -> None:
    opened = tmp_path / "open"
    (opened / "data" / "sources").mkdir(parents=True)
    (opened / "papers").mkdir()
    (opened / "link").symlink_to(opened / "data")
    setting, rest = ("path" if kind == "folder" else "url"), {"roots": (opened,), "private": (opened / "data",)}
    with pytest.raises(SourceMisconfigured, match="data of this product itself"):
        make_source(kind, {setting: str(opened / path)}, **rest)
    make_source(kind, {setting: str(opened / "papers")}, **rest)


def test_own_data_that_comes_to_lie_in_a_folder_later_is_passed_over(
    make_source: Any, listed: Any, root: Path, tmp_path: Path
) -> None:
    private = tmp_path / "data"
    private.mkdir()
    source = make_source("folder", {"path": str(root)}, roots=(root.parent,), private=(private,))
    (private / "answers.md").write_text("Of another organisation.")
    private.rename(root / "rules" / "data")
    private.symlink_to(root / "rules" / "data")
    assert listed(source).keys == ["a.md", "rules/b.txt"]
