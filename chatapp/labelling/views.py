"""The page on which people say what the sources of sentences hold, and see what that makes of the check."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.answering.verification import default_record
from chatapp.conversations.verifying import thresholds_of
from chatapp.labelling import figures, queue, selectors, services
from chatapp.labelling.drawing import drawn
from chatapp.labelling.models import SentenceLabel
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

__all__ = ["label", "labels", "records", "undo"]


@require_safe
@member_page
def labels(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the next sentence without its verdict, the curve so far, and the records."""
    _check(actor.can_edit)
    waiting, remaining = queue.next_sentence(actor=actor)
    rows = selectors.marked(actor.tenant_id)
    curve = figures.curve(rows)
    limits = thresholds_of(actor.tenant_id)
    counts = selectors.counts(actor.tenant_id)
    context = {
        "candidate": waiting,
        "sources": waiting.sources(actor=actor) if waiting else (),
        "remaining": remaining,
        "last": selectors.last_label(actor=actor),
        "counts": [(words, counts[name]) for name, words in SentenceLabel.Label.choices],
        "curve": curve if curve and min(curve.held, curve.others) >= figures.FEWEST_TO_SHOW else None,
        "drawing": drawn(curve, limits.pair) if curve else None,
        "so_far": curve,
        "fewest": figures.FEWEST_TO_SHOW,
        "fewest_to_fit": figures.FEWEST_TO_FIT,
        "agreement": selectors.agreement_of(actor.tenant_id),
        "shipped": default_record(),
        "limits": limits,
        "records": selectors.records_of(actor.tenant_id)[:20],
        "can_administer": actor.can_administer,
    }
    return render(request, "labelling/labels.html", context)


@require_POST
@member_page
def label(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Keep a label and go on to the next sentence."""
    _check(actor.can_edit)
    index = request.POST.get("sentence", "")
    if not (index.isascii() and index.isdecimal() and len(index) < 6):
        raise queue.SentenceNotFound
    try:
        services.label_sentence(
            actor=actor, run=request.POST.get("run", ""), index=int(index), label=request.POST.get("label", "")
        )
    except services.LabelRefused as error:
        messages.info(request, error.message)
    return redirect("labelling:labels")


@require_POST
@member_page
def undo(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Take the last label back; its sentence comes again."""
    _check(actor.can_edit)
    if services.undo(actor=actor) is None:
        messages.info(request, "There is no label to take back.")
    return redirect("labelling:labels")


@require_POST
@member_page
def records(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Fit thresholds, make some active, or go back to the shipped ones."""
    _check(actor.can_administer)
    wanted = request.POST.get("do", "")
    try:
        if wanted == "fit":
            services.fit_record(actor=actor)
        elif wanted == "reset":
            services.reset_record(actor=actor)
        else:
            services.activate_record(actor=actor, pk=wanted)
    except NotFound:
        raise
    except KnowledgeError as error:
        messages.info(request, error.message)
    return redirect("labelling:labels")


def _check(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied("Your role does not allow this.")
