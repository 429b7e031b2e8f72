"""Pages of datasets: the list, a new one, one with its versions, freezing and deleting."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.conversations.access import visible_assistants
from chatapp.finetuning.datasets import access, presentation, services, starting, versions
from chatapp.finetuning.datasets.build_presentation import build_context
from chatapp.finetuning.datasets.checks import FLAGS
from chatapp.finetuning.datasets.freshness import outdated, unlooked
from chatapp.finetuning.datasets.gates import GATES
from chatapp.finetuning.datasets.gating import standing_of, standings_of
from chatapp.finetuning.datasets.lengths import Limits
from chatapp.finetuning.datasets.models import DatasetVersion, KeptOutQuestion, TrainingDataset
from chatapp.finetuning.datasets.queueing import BuildRefused
from chatapp.finetuning.datasets.reviewing import BUSY
from chatapp.finetuning.training.models import BaseModel
from knowledge.documents.access import visible_knowledge_bases
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

form_page = require_http_methods(["GET", "HEAD", "POST"])
SHOWN = 20
"""Keys named of each kind of difference."""


def only_editors(actor: Actor) -> None:
    """:raises PermissionDenied: the role only reads."""
    if not actor.can_edit:
        raise PermissionDenied("Your role does not show training data.")


@require_safe
@member_page
def datasets(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the datasets with how the newest version of each stands."""
    only_editors(actor)
    found = list(access.visible_datasets(actor=actor).order_by("name", "pk"))
    newest = {pk: of[0] for pk, of in versions.newest_versions(found, most=1).items() if of}
    standings = standings_of(list(newest.values()))
    rows = [(each, newest[each.pk], standings[newest[each.pk].pk]) for each in found if each.pk in newest]
    return render(request, "datasets/list.html", {"here": "data", "rows": rows})


@form_page
@member_page
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the form of a new dataset; make it."""
    only_editors(actor)
    problem = ""
    if request.method == "POST":
        try:
            made = services.create_dataset(
                actor=actor, name=request.POST.get("name", ""), kind=request.POST.get("kind", ""),
                purpose=request.POST.get("purpose", ""), knowledge_bases=request.POST.getlist("base"),
            )  # fmt: skip
            return redirect("datasets:dataset", made.pk)
        except NotFound:
            raise
        except KnowledgeError as error:
            problem = error.message
    context = {
        "here": "data", "problem": problem, "kinds": TrainingDataset.Kind.choices, "typed": request.POST,
        "chosen": request.POST.getlist("base"), "bases": visible_knowledge_bases(actor=actor).order_by("name"),
    }  # fmt: skip
    return render(request, "datasets/new.html", context)


@require_safe
@member_page
def dataset(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Show a dataset: how its newest version stands, what was found, its versions, and ways to add rows."""
    only_editors(actor)
    found = access.access_dataset(actor=actor, pk=dataset_id)
    newest = access.access_version(actor=actor, dataset=dataset_id)
    return render(request, "datasets/dataset.html", _context(found, newest, actor))


def _context(found: TrainingDataset, newest: DatasetVersion, actor: Actor) -> dict[str, Any]:
    standing, is_draft = standing_of(newest), newest.state == DatasetVersion.State.DRAFT
    flags = newest.checks.get("flags") or {}
    models = BaseModel.objects.filter(Q(tenant=None) | Q(tenant_id=actor.tenant_id)).order_by("name")
    return {
        "here": "data", "dataset": found, "version": newest, "standing": standing, "gates": GATES,
        "counts": presentation.counts_of(newest, standing), "limits": Limits.of(newest.checks.get("limits") or {}),
        "flags": [(title, flags[name]) for name, title in FLAGS.items() if name in flags],
        "drift": presentation.drift_words(newest) if newest.frozen else [],
        "is_draft": is_draft, "models": starting.models_for(actor=actor),
        "assistants": visible_assistants(actor=actor), "base_models": models,
        "versions": found.versions.order_by("-number"), **build_context(found),
        "outdated": is_draft and outdated(newest), "unlooked": is_draft and unlooked(newest), "busy": BUSY,
        "kept_out": KeptOutQuestion.objects.filter(tenant_id=actor.tenant_id).count(),
        "is_raft": found.kind == TrainingDataset.Kind.RAFT, "bases": list(found.knowledge_bases.order_by("name")),
    }  # fmt: skip


@require_safe
@member_page
def version(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID, number: int) -> HttpResponse:
    """Show a version: hash, counts, drift, and what changed since the one before."""
    only_editors(actor)
    row = access.access_version(actor=actor, dataset=dataset_id, number=number)
    before = row.dataset.versions.filter(number__lt=number).order_by("-number").first()
    standing = standing_of(row)
    changed = versions.difference(before, row) if before else None
    context = {
        "here": "data", "dataset": row.dataset, "version": row, "standing": standing, "before": before,
        "counts": presentation.counts_of(row, standing), "drift": presentation.drift_words(row) if row.frozen else [],
        "changes": _changes(before, row, changed) if before and changed else [],
    }  # fmt: skip
    return render(request, "datasets/version.html", context)


def _changes(
    before: DatasetVersion, row: DatasetVersion, found: versions.Difference
) -> list[tuple[str, int, list[str]]]:  # fmt: skip
    """Return each kind of change with its number and the first questions."""
    parts = (
        ("Added", found.added, row), ("Changed", [new for _, new in found.changed], row),
        ("Removed", found.removed, before),
    )  # fmt: skip
    shown = [(title, keys, versions.questions_by_key(of, keys[:SHOWN])) for title, keys, of in parts]
    return [(title, len(keys), [asked.get(key, "") for key in keys[:SHOWN]]) for title, keys, asked in shown]


@require_POST
@member_page
def draft(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Open a draft with all that the last version has."""
    only_editors(actor)
    versions.open_draft(access.access_dataset(actor=actor, pk=dataset_id), actor=actor)
    return redirect("datasets:dataset", dataset_id)


@require_POST
@member_page
def limits(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Set the window of another model, and have the lengths checked by it."""
    only_editors(actor)
    found = access.access_dataset(actor=actor, pk=dataset_id)
    chosen: dict[str, Any] = {
        name: number(request, name, 8192 if name == "window" else 0) for name in ("window", "output")
    }
    pk = request.POST.get("base_model", "")
    if pk:
        rows = BaseModel.objects.filter(Q(tenant=None) | Q(tenant_id=actor.tenant_id))
        base = next((row for row in rows if str(row.pk) == pk), None)
        if base is None:
            raise access.DatasetNotFound
        chosen |= {"path": base.path, "counted_by": f"counted by the tokenizer of {base.name}", "base": str(base.pk)}
        chosen["window"] = min(chosen["window"] or base.context_window, base.context_window)
    try:
        services.set_limits(actor=actor, dataset=found, chosen=chosen)
    except BuildRefused as error:
        messages.error(request, error.message)
    return redirect("datasets:dataset", dataset_id)


def number(request: HttpRequest, name: str, default: int) -> int:
    """Return a number that was typed in; the default where it is none."""
    text = request.POST.get(name, "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else default


@form_page
@member_page
def freeze(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Ask once more, then have the draft closed for ever."""
    only_editors(actor)
    found = access.access_dataset(actor=actor, pk=dataset_id)
    row = versions.draft_of(found)
    if row is None:
        return redirect("datasets:dataset", dataset_id)
    problem = ""
    if request.method == "POST":
        try:
            starting.start_freeze(actor=actor, dataset=found)
            return redirect("datasets:dataset", dataset_id)
        except KnowledgeError as error:
            problem = error.message
    context = {"here": "data", "dataset": found, "version": row, "standing": standing_of(row), "problem": problem}
    return render(request, "datasets/freeze.html", context)


@form_page
@member_page
def delete(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Ask once more, then delete a dataset on which nothing was trained."""
    only_editors(actor)
    found = access.access_dataset(actor=actor, pk=dataset_id)
    if request.method == "POST":
        try:
            services.delete_dataset(actor=actor, dataset=found)
            messages.success(request, f"The dataset “{found.name}” is deleted.")
            return redirect("datasets:list")
        except services.DatasetInUse as error:
            messages.info(request, error.message)
            return redirect("datasets:dataset", dataset_id)
    return render(request, "datasets/delete.html", {"here": "data", "dataset": found})
