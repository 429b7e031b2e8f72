"""What is wrong with the operator's lists is said at start."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks


def messages(settings: Any, **lists: list[str]) -> list[str]:
    for name, value in lists.items():
        setattr(settings, name, value)
    wanted = ("knowledge.E007", "knowledge.E008", "knowledge.E009")
    return [found.msg for found in run_checks(tags=["footnote_start"]) if found.id in wanted]


def test_lists_that_are_understood_pass(settings: Any) -> None:
    assert (
        messages(settings, EGRESS_ALLOW=["wiki.internal:8090", "10.0.0.0/8"], SOURCE_FOLDERS=["/srv", "~/papers"]) == []
    )


@pytest.mark.parametrize("entry", ["http://wiki.internal/", "10.0.0.0/40", "wiki internal"])
def test_entry_that_means_nothing_stops_the_start(settings: Any, entry: str) -> None:
    (message,) = messages(settings, EGRESS_ALLOW=[entry])
    assert message.startswith("EGRESS_ALLOW cannot be used.")
    assert entry in message


def test_folder_without_its_whole_path_stops_the_start(settings: Any) -> None:
    assert messages(settings, SOURCE_FOLDERS=["papers"]) == ["SOURCE_FOLDERS must name whole paths, not 'papers'."]


@pytest.mark.parametrize("opened", ["{data}", "{data}/files", "{data}/.."])
def test_a_folder_that_holds_the_products_own_data_stops_the_start(settings: Any, tmp_path: Any, opened: str) -> None:
    settings.DATA_DIR, settings.BASE_DIR = tmp_path / "inner" / "data", tmp_path / "product"
    folder = opened.format(data=settings.DATA_DIR)
    (message,) = messages(settings, SOURCE_FOLDERS=[folder])
    assert repr(folder) in message
    assert messages(settings, SOURCE_FOLDERS=[str(tmp_path / "inner" / "data-of-others")]) == []
    assert len(messages(settings, SOURCE_FOLDERS=[str(tmp_path)])) == 2
