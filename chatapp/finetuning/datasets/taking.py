"""What a build takes next of its work, whatever its kind: a question, a passage, some lines of a file, some answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chatapp.finetuning.datasets.answers import from_answers
from chatapp.finetuning.datasets.build_models import DatasetBuild
from chatapp.finetuning.datasets.making import Made, Maker
from chatapp.finetuning.datasets.storing import TOGETHER
from chatapp.finetuning.datasets.uploads import read_rows
from knowledge.tenants.access import Actor

__all__ = ["Work", "work_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work of a build: ``take`` gets how many pieces are behind it, and makes the rows of the next ones.

    ``told`` is known from the start and stays in the build's report.
    """

    total: int
    take: Callable[[int], Made]
    told: dict[str, Any] = field(default_factory=dict)


def work_of(build: DatasetBuild, *, actor: Actor, seed: int) -> Work:
    """Return the work of a build, the same whenever it is claimed.

    :raises UploadRefused: its file cannot be read.
    """
    kind = DatasetBuild.Kind
    if build.kind == kind.CHECK:
        return Work(total=0, take=lambda _: Made())
    if build.kind == kind.FILE:
        return _of_file(build)
    if build.kind == kind.ANSWERS:
        return Work(total=len(build.work), take=lambda done: _of_answers(build, done, actor))
    maker = Maker(build, actor=actor, seed=seed)
    return Work(total=len(build.work), take=lambda done: maker.make(build.work[done]))


def _of_file(build: DatasetBuild) -> Work:
    file = build.file
    read = read_rows(bytes(file.data), name=file.name, kind=build.dataset.kind)

    def take(done: int) -> Made:
        part = read.proposals[done : done + TOGETHER]
        return Made(proposals=part, taken=len(part))

    told = {"refused": read.refused, "errors": [[bad.line, bad.why] for bad in read.errors]}
    return Work(total=len(read.proposals), take=take, told=told)


def _of_answers(build: DatasetBuild, done: int, actor: Actor) -> Made:
    ids = build.work[done : done + TOGETHER]
    found = from_answers(build.dataset, ids, actor=actor, to_correct=bool(build.options.get("to_correct")))
    counts = found.left_out.copy()
    counts["left_out"] = found.left_out.total()
    return Made(proposals=found.proposals, counts=counts, taken=len(ids))
