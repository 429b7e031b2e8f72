"""Sources by name, and settings checked against the options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knowledge.sources.base import Option, SourceMisconfigured
from knowledge.sources.plugins import SOURCES
from knowledge.sources.values import values_of

OPTIONS = (
    Option(name="url", label="Address", required=True),
    Option(name="pages", label="Pages", kind="number", default=10, minimum=1, maximum=50),
    Option(name="files", label="Files", kind="switch", default=True),
    Option(name="include", label="Only", kind="lines"),
    Option(name="token", label="Token", kind="secret"),
)


def test_defaults_stand_where_nothing_is_given() -> None:
    values = values_of(OPTIONS, {"url": " x "}, secrets={})
    assert values.text("url") == "x"
    assert values.number("pages") == 10
    assert values.switch("files") is True
    assert values.lines("include") == ()
    assert values.secret("token") == ""


@pytest.mark.parametrize("switched", [False, "off", "false", "0"])
def test_values_of_forms_and_of_json_are_read(switched: object) -> None:
    given = {"url": "x", "pages": "7", "files": switched, "include": "a\n\n b "}
    values = values_of(OPTIONS, given, secrets={"token": "s3cret"})
    assert (values.number("pages"), values.switch("files"), values.lines("include")) == (7, False, ("a", "b"))
    assert values.secret("token") == "s3cret"
    assert "s3cret" not in repr(values)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"url": "  "},
        {"url": "x", "pages": 51},
        {"url": "x", "pages": "many"},
        {"url": "x", "pages": True},
        {"url": "x", "files": "perhaps"},
        {"url": "x", "include": {"a": 1}},
        {"url": "x", "include": ["a"] * 101},
        {"url": "x\ny"},
        {"url": ["x"]},
        {"url": "x" * 2001},
        {"url": "x", "colour": "red"},
        {"url": "x", "token": "in the open"},
    ],
)
def test_wrong_values_are_sentences(given: dict[str, Any]) -> None:
    with pytest.raises(SourceMisconfigured) as caught:
        values_of(OPTIONS, given, secrets={})
    assert caught.value.message.endswith(".")
    assert "in the open" not in caught.value.message


def test_unknown_kind_names_those_there_are(make_source: Any) -> None:
    with pytest.raises(SourceMisconfigured, match="folder"):
        make_source("ftp", {})


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_every_source_describes_itself(kind: str) -> None:
    plugin = SOURCES[kind]
    assert plugin.name == kind
    assert plugin.title
    names = [option.name for option in plugin.options]
    assert len(set(names)) == len(names)
    assert all(option.label for option in plugin.options)
    numbers = [option for option in plugin.options if option.kind == "number"]
    assert all(isinstance(option.default, int) and option.minimum is not None for option in numbers)


def test_work_folder_is_not_made_by_building(make_source: Any, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    make_source("folder", {"path": str(tmp_path / "open")}, roots=(tmp_path,))
    assert not (tmp_path / "work").exists()
