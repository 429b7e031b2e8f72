"""One row after another: what it teaches, what was found on it, and the decision."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.finetuning.datasets import access, presentation, reviewing
from chatapp.finetuning.datasets.models import DatasetVersion, TrainingRow
from chatapp.finetuning.datasets.views import only_editors
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

DECISIONS = {"approve": "approved", "reject": "rejected", "propose": "proposed"}


def _state(text: str) -> str:
    return text if text in TrainingRow.State.values else TrainingRow.State.PROPOSED


@require_safe
@member_page
def review(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Go to the first row of a state; say so where there is none."""
    only_editors(actor)
    version = access.access_version(actor=actor, dataset=dataset_id)
    state = _state(request.GET.get("state", ""))
    first = version.rows.filter(state=state).order_by("created", "pk").first()
    if first is not None:
        return redirect(_address(first.pk, state))
    context = {"here": "data", "dataset": version.dataset, "version": version, "state": state,
               "states": _states(version)}  # fmt: skip
    return render(request, "datasets/nothing.html", context)


@require_safe
@member_page
def row(request: HttpRequest, actor: Actor, row_id: uuid.UUID) -> HttpResponse:
    """Show a row with its sources, flags and decision."""
    only_editors(actor)
    found = access.access_row(actor=actor, pk=row_id)
    state = _state(request.GET.get("state", "") or found.state)
    before, after, count = presentation.following(found, state=state)
    context = {
        **presentation.row_context(found, actor=actor), "here": "data", "dataset": found.version.dataset,
        "version": found.version, "is_draft": found.version.state == DatasetVersion.State.DRAFT, "state": state,
        "before": before, "after": after, "count": count, "states": _states(found.version),
    }  # fmt: skip
    return render(request, "datasets/review.html", context)


@require_POST
@member_page
def decide(request: HttpRequest, actor: Actor, row_id: uuid.UUID) -> HttpResponse:
    """Keep what was written and what was decided, and go on to the next row."""
    only_editors(actor)
    found = access.access_row(actor=actor, pk=row_id)
    state, wanted = _state(request.POST.get("state", "")), request.POST.get("do", "")
    _, after, _ = presentation.following(found, state=state)
    completion = request.POST.get("completion", found.completion).replace("\r\n", "\n").strip()
    try:
        if completion != found.completion.strip():
            found = reviewing.edit_row(actor=actor, row=found, completion=completion)
        if wanted in DECISIONS:
            reviewing.review_row(actor=actor, row=found, state=DECISIONS[wanted])
            if after is not None:
                return redirect(_address(after, state))
            return redirect(
                f"{reverse('datasets:review', args=[found.version.dataset_id])}?{urlencode({'state': state})}"
            )
    except NotFound:
        raise
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect(_address(found.pk, state))


@require_POST
@member_page
def approve(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Approve every proposed row on which nothing was found, unless something is just being looked for."""
    only_editors(actor)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    try:
        count = reviewing.review_unflagged(actor=actor, dataset=dataset)
    except KnowledgeError as error:
        messages.error(request, error.message)
    else:
        were = "row was" if count == 1 else "rows were"
        messages.success(request, f"{count} {were} approved. Flagged rows wait for you.")
    return redirect("datasets:dataset", dataset_id)


def _states(version: DatasetVersion) -> list[tuple[str, str, int]]:
    """Return each state with its words and its number of rows."""
    return [(name, words, version.rows.filter(state=name).count()) for name, words in TrainingRow.State.choices]


def _address(pk: uuid.UUID, state: str) -> str:
    return f"{reverse('datasets:row', args=[pk])}?{urlencode({'state': state})}"
