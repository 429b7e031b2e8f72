"""What one run of a website's source has visited, page by page: a run that was stopped goes on behind it.

A file of lines in the source's private folder, of the newest run alone. A line that was cut off is passed over: that
page is asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from knowledge.sources.page_memory import PageNote
from knowledge.sources.work import private_folder

__all__ = ["Visit", "Visits"]

_FILE: Final = "visits.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What became of one address."""

    note: PageNote | None = None  # it was offered
    arrived: str = ""  # where a page that is not offered was found
    links: tuple[str, ...] = ()  # of such a page
    missed: str = ""  # why it could not be read


class Visits:
    """Visits by the address that was asked for; without a run nothing is kept."""

    def __init__(self, work: Path, *, run: str) -> None:
        self._run = run
        self._path = work / _FILE
        self._numbers: dict[str, int] = {}  # links are written once: pages of a site share most of them
        self._found: dict[str, Visit] = {}
        if not run:
            return
        private_folder(work)
        self._load()
        if not self._found:  # of another run, or of none
            self._path.write_text(json.dumps({"run": run}) + "\n")
            self._path.chmod(0o600)

    def __len__(self) -> int:
        return len(self._found)

    def get(self, url: str) -> Visit | None:
        return self._found.get(url)

    def add(self, url: str, visit: Visit) -> None:
        """Write down a visit; one that is known already stays."""
        if not self._run or url in self._found:
            return
        self._found[url] = visit
        links = visit.note.links if visit.note else visit.links
        new = [link for link in dict.fromkeys(links) if link not in self._numbers]
        self._numbers.update({link: len(self._numbers) + at for at, link in enumerate(new)})
        note = {**asdict(visit.note), "links": ()} if visit.note else None
        row = {"url": url, "note": note, "arrived": visit.arrived, "missed": visit.missed, "new": new,
               "links": [self._numbers[link] for link in links]}  # fmt: skip
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def _load(self) -> None:
        try:
            first, *lines = self._path.read_text().splitlines()
            if json.loads(first)["run"] != self._run:
                return
        except (OSError, ValueError, KeyError, TypeError):
            return
        links: list[str] = []
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:  # cut off when it was written, and so was what it says
                continue
            links += row["new"]
            self._found[row["url"]] = _visit(row, tuple(links[number] for number in row["links"]))
        self._numbers = {link: number for number, link in enumerate(links)}
        with self._path.open("a") as file:
            file.write("\n")  # behind a line that was cut off


def _visit(row: Mapping[str, Any], links: tuple[str, ...]) -> Visit:
    if row["note"]:
        return Visit(note=PageNote(**{**row["note"], "links": links}))
    return Visit(arrived=row["arrived"], links=links, missed=row["missed"])
