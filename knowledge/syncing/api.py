"""HTTP API of sources and their runs. Translates and calls one service each; for those who may edit."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from ninja.errors import HttpError
from ninja.responses import Status

from knowledge.documents import paging
from knowledge.documents.access import access_knowledge_base
from knowledge.documents.paging import PageSize
from knowledge.syncing import access, kinds, selectors, services
from knowledge.syncing.models import Source, SyncRun
from knowledge.syncing.schemas import (
    CheckOut,
    RunIn,
    SourceIn,
    SourceList,
    SourceOut,
    SourcePatch,
    SyncRunDetail,
    SyncRunOut,
    SyncRunPage,
)
from knowledge.tenants.access import Actor

bases = Router(tags=["sources"])
sources = Router(tags=["sources"])
runs = Router(tags=["sources"])


def _editor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if not actor.can_edit:
        raise HttpError(403, "Your role may read and ask, but not see or change where documents come from.")
    return actor


def _out(source: Source) -> SourceOut:
    return SourceOut.of(source, run=selectors.newest_run(source), documents=selectors.documents_of(source))


@bases.get("/{base_id}/sources", response=SourceList)
def list_sources(request: HttpRequest, base_id: str) -> Any:
    actor = _editor(request)
    base = access_knowledge_base(actor=actor, pk=base_id)
    found = selectors.sources_of(actor=actor, base=base)
    return SourceList(items=[SourceOut.of(source, run=run, documents=n) for source, run, n in found])


@bases.post("/{base_id}/sources", response={201: SourceOut})
def create_source(request: HttpRequest, base_id: str, data: SourceIn) -> Any:
    actor = _editor(request)
    base = access_knowledge_base(actor=actor, pk=base_id)
    return Status(201, _out(services.create_source(actor=actor, base=base, **data.dict())))


@sources.get("/{source_id}", response=SourceOut)
def get_source(request: HttpRequest, source_id: str) -> Any:
    return _out(access.access_source(actor=_editor(request), pk=source_id))


@sources.patch("/{source_id}", response=SourceOut)
def patch_source(request: HttpRequest, source_id: str, data: SourcePatch) -> Any:
    source = access.access_source(actor=_editor(request), pk=source_id)
    given = data.dict(exclude_unset=True)
    changes = {name: value for name, value in given.items() if value is not None or name == "at_hour"}
    return _out(services.update_source(source=source, changes=changes))


@sources.delete("/{source_id}", response={202: SyncRunOut, 204: None})
def delete_source(request: HttpRequest, source_id: str, withdraw: bool = False) -> Any:
    """Delete a source. Its documents stay; with ``withdraw`` a run takes them away and says so."""
    actor = _editor(request)
    source = access.access_source(actor=actor, pk=source_id)
    run = services.delete_source(source=source, actor=actor, withdraw=withdraw)
    return Status(204, None) if run is None else Status(202, SyncRunOut.of(run))


@sources.post("/{source_id}/check", response=CheckOut)
def check_source(request: HttpRequest, source_id: str) -> Any:
    """Say whether the source can be reached with its settings."""
    source = access.access_source(actor=_editor(request), pk=source_id)
    found = kinds.problems(kinds.plugin_of(source))
    return CheckOut(reachable=not found, problems=found)


@sources.get("/{source_id}/runs", response=SyncRunPage)
def list_runs(request: HttpRequest, source_id: str, cursor: str | None = None, limit: PageSize = 20) -> Any:
    source = access.access_source(actor=_editor(request), pk=source_id)
    found, following = paging.page(source.runs.all(), field="created", cursor=cursor, limit=limit)
    return SyncRunPage(items=[SyncRunOut.of(run) for run in found], next_cursor=following)


@sources.post("/{source_id}/runs", response={202: SyncRunOut})
def start_run(request: HttpRequest, source_id: str, data: RunIn) -> Any:
    actor = _editor(request)
    source = access.access_source(actor=actor, pk=source_id)
    kind = SyncRun.Kind.DRY if data.dry_run else SyncRun.Kind.FULL
    run = services.start_run(source=source, actor=actor, kind=kind, allow_withdrawals=data.allow_withdrawals)
    return Status(202, SyncRunOut.of(run))


@runs.get("/{source_run_id}", response=SyncRunDetail)
def get_source_run(request: HttpRequest, source_run_id: str) -> Any:
    return SyncRunDetail.of(access.access_sync_run(actor=_editor(request), pk=source_run_id))


@runs.post("/{source_run_id}/cancel", response=SyncRunDetail)
def cancel_source_run(request: HttpRequest, source_run_id: str) -> Any:
    run = access.access_sync_run(actor=_editor(request), pk=source_run_id)
    services.cancel_run(run=run)
    run.refresh_from_db()
    return SyncRunDetail.of(run)
