"""``/training-datasets``: what the pages do, for programs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import File, Router, Status, UploadedFile

from chatapp.finetuning.datasets import access, queueing, reviewing, services, starting
from chatapp.finetuning.datasets.models import TrainingRow
from chatapp.finetuning.datasets.schemas import (
    AddedOut,
    BuildOut,
    DatasetIn,
    DatasetList,
    DatasetOut,
    QuestionIn,
    ReviewIn,
    RowOut,
    RowPage,
)
from chatapp.finetuning.datasets.uploads import bytes_of
from chatapp.finetuning.datasets.writing import add_curated
from knowledge.documents import paging
from knowledge.documents.paging import PageSize
from knowledge.tenants.access import Actor

router = Router(tags=["training data"])


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def _editor(request: HttpRequest) -> Actor:
    actor = _actor(request)
    access.require_editor(actor)
    return actor


@router.get("", response=DatasetList)
def list_datasets(request: HttpRequest, cursor: str | None = None, limit: PageSize = 50) -> Any:
    rows = access.visible_datasets(actor=_editor(request))
    found, following = paging.page(rows, field="created", cursor=cursor, limit=limit)
    return DatasetList(items=DatasetOut.of_all(found), next_cursor=following)


@router.post("", response={201: DatasetOut})
def create_dataset(request: HttpRequest, data: DatasetIn) -> Any:
    return Status(201, DatasetOut.of(services.create_dataset(actor=_editor(request), **data.dict())))


@router.get("/{dataset_id}", response=DatasetOut)
def get_dataset(request: HttpRequest, dataset_id: str) -> Any:
    return DatasetOut.of(access.access_dataset(actor=_actor(request), pk=dataset_id))


@router.delete("/{dataset_id}", response={204: None})
def delete_dataset(request: HttpRequest, dataset_id: str) -> Any:
    actor = _actor(request)
    services.delete_dataset(actor=actor, dataset=access.access_dataset(actor=actor, pk=dataset_id))
    return Status(204, None)


@router.get("/{dataset_id}/rows", response=RowPage)
def list_rows(
    request: HttpRequest, dataset_id: str, version: int | None = None, state: str = "", split: str = "",
    cursor: str | None = None, limit: PageSize = 50,
) -> Any:  # fmt: skip
    """Rows of a version, the newest version unless one is named."""
    found = access.access_version(actor=_actor(request), dataset=dataset_id, number=version)
    wanted = {name: value for name, value in (("state", state), ("split", split)) if value}
    rows = TrainingRow.objects.filter(version=found, **wanted).prefetch_related("sources")
    page, following = paging.page(rows, field="created", cursor=cursor, limit=limit)
    return RowPage(items=[RowOut.of(row) for row in page], next_cursor=following)


@router.post("/{dataset_id}/rows", response=AddedOut)
def add_row(request: HttpRequest, dataset_id: str, data: QuestionIn) -> Any:
    """Propose a row that somebody wrote."""
    actor = _actor(request)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    return AddedOut(counts=dict(add_curated(actor=actor, dataset=dataset, **data.dict())))


@router.patch("/{dataset_id}/rows/{row_id}", response=RowOut)
def review_row(request: HttpRequest, dataset_id: str, row_id: str, data: ReviewIn) -> Any:
    """Change the completion, which is then checked anew, and approve or reject the row."""
    actor = _actor(request)
    row = access.access_row(actor=actor, pk=row_id)
    if str(row.version.dataset_id) != dataset_id:
        raise access.RowNotFound
    if data.completion is not None and data.completion != row.completion:
        row = reviewing.edit_row(actor=actor, row=row, completion=data.completion)
    if data.state is not None:
        row = reviewing.review_row(actor=actor, row=row, state=data.state)
    return RowOut.of(row)


@router.post("/{dataset_id}/upload", response={202: BuildOut})
def upload_rows(request: HttpRequest, dataset_id: str, file: File[UploadedFile]) -> Any:
    """Have the rows of a JSON lines or CSV file proposed; the build names the lines that are none."""
    actor = _actor(request)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    data, name = bytes_of(file)
    build = starting.start_file(actor=actor, dataset=dataset, data=data, name=name)
    return Status(202, BuildOut.of(build))


@router.post("/{dataset_id}/freeze", response={202: BuildOut})
def freeze(request: HttpRequest, dataset_id: str) -> Any:
    """Have the draft checked once more and closed for ever under its hash: the build's version."""
    actor = _actor(request)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    return Status(202, BuildOut.of(starting.start_freeze(actor=actor, dataset=dataset)))


@router.get("/{dataset_id}/builds/{build_id}", response=BuildOut)
def get_build(request: HttpRequest, dataset_id: str, build_id: str) -> Any:
    build = access.access_build(actor=_actor(request), pk=build_id)
    if str(build.dataset_id) != dataset_id:
        raise access.BuildNotFound
    return BuildOut.of(build)


@router.post("/{dataset_id}/builds/{build_id}/cancel", response=BuildOut)
def cancel_build(request: HttpRequest, dataset_id: str, build_id: str) -> Any:
    actor = _actor(request)
    build = access.access_build(actor=actor, pk=build_id)
    if str(build.dataset_id) != dataset_id:
        raise access.BuildNotFound
    queueing.cancel_build(actor=actor, build=build)
    build.refresh_from_db()
    return BuildOut.of(build)
