"""The page of a knowledge base's indexes: what is in use, a new one, comparing, switching, going back, removing."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.evaluation.verdicts import sentences
from chatapp.indexes.asking import recent_questions
from chatapp.indexes.comparing import RECENT, called, compared, other_of
from chatapp.indexes.forms import EMPTY_TARGET, KINDS, BuildForm, QuestionsForm, filled
from chatapp.indexes.presentation import rows_of
from knowledge.documents import access
from knowledge.documents.indexes import generations, overview
from knowledge.documents.models import IndexGeneration, KnowledgeBase
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

__all__ = ["build", "compare", "page", "remove", "retry", "switch"]

COMPARED_SECONDS = 8.0
"""What a page may take: a comparison that needs longer asks fewer questions, and says so."""


@require_safe
@member_page
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the indexes of a knowledge base; of the first one where none is named."""
    _check(actor.can_edit)
    bases = list(access.visible_knowledge_bases(actor=actor).order_by("name", "pk"))
    named = request.GET.get("base")
    base = access.access_knowledge_base(actor=actor, pk=named) if named else (bases[0] if bases else None)
    if base is None:
        return render(request, "indexes/none.html")
    return _shown(request, base, actor=actor)


@require_POST
@member_page
def build(request: HttpRequest, actor: Actor) -> HttpResponse:
    _check(actor.can_edit)
    base = access.access_knowledge_base(actor=actor, pk=request.POST.get("base"))
    form = BuildForm(request.POST)
    if not form.is_valid():
        return _shown(request, base, actor=actor, form=form, problem=form.problem(), status=422)
    switch = form.cleaned_data["switch"]
    _check(actor.can_administer or not switch)
    try:
        generations.start(base=base, embedding=form.cleaned_data["embedding"], chunker=form.chunker, switch=switch)
    except KnowledgeError as error:
        return _shown(request, base, actor=actor, form=form, problem=error.message, status=409)
    messages.info(request, "The new index is being built. Searches go on with the one in use.")
    return _back(base)


@require_POST
@member_page
def switch(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Search through an index from now on, or as soon as it has taken in what is missing."""
    _check(actor.can_administer)
    generation = _generation(request.POST, actor)

    def act() -> str:
        if generations.make_live(generation):
            return "This index is in use now."
        return "It first takes in what is missing, and is in use then."

    return _acted(request, generation, act)


@require_POST
@member_page
def remove(request: HttpRequest, actor: Actor) -> HttpResponse:
    _check(actor.can_administer)
    generation = _generation(request.POST, actor)

    def act() -> str:
        generations.remove(generation)
        return "The index is being removed."

    return _acted(request, generation, act)


@require_POST
@member_page
def retry(request: HttpRequest, actor: Actor) -> HttpResponse:
    _check(actor.can_edit)
    generation = _generation(request.POST, actor)

    def act() -> str:
        generations.retry(generation)
        return "It is tried again."

    return _acted(request, generation, act)


@require_POST
@member_page
def compare(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Ask an index and the one in use the same questions, and show what both found."""
    _check(actor.can_edit)
    generation = _generation(request.POST, actor)
    base = generation.knowledge_base
    form = QuestionsForm(request.POST, request.FILES)
    if not form.is_valid():
        return _shown(request, base, actor=actor, problem=str(form.errors["file"][0]), status=422)
    brought = form.cleaned_data["file"]
    try:
        other = other_of(base, generation)
        asked = brought if brought is not None else recent_questions(actor=actor, base=base, most=RECENT)
        found = compared(asked, base=base, other=other, seconds=COMPARED_SECONDS)
    except NotFound:
        raise
    except KnowledgeError as error:
        return _shown(request, base, actor=actor, problem=error.message, status=409)
    result = {"found": found, "sentences": sentences(found, called=called(other)), "id": str(other.pk)}
    return _shown(request, base, actor=actor, result=result)


def _acted(request: HttpRequest, generation: IndexGeneration, act: Any) -> HttpResponse:
    """Do it and go back to the page; a refusal is shown there in words."""
    try:
        messages.info(request, act())
    except KnowledgeError as error:
        messages.error(request, error.message)
    return _back(generation.knowledge_base)


def _shown(
    request: HttpRequest, base: KnowledgeBase, *, actor: Actor, form: BuildForm | None = None, problem: str = "",
    result: dict[str, Any] | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    rows = rows_of(generations.standings(base))
    context = {
        "base": base, "bases": access.visible_knowledge_bases(actor=actor).order_by("name", "pk"),
        "live": next((row for row in rows if row.live), None), "others": [row for row in rows if not row.live],
        "busy": any(row.busy for row in rows), "notice": overview.difference(base),
        "form": form or filled(), "kinds": KINDS, "empty_target": EMPTY_TARGET,
        "can_administer": actor.can_administer, "problem": problem, "result": result, "recent": RECENT,
    }  # fmt: skip
    return render(request, "indexes/indexes.html", context, status=status)


def _generation(given: QueryDict, actor: Actor) -> IndexGeneration:
    return access.access_generation(actor=actor, pk=given.get("generation"))


def _back(base: KnowledgeBase) -> HttpResponse:
    return redirect(f"{reverse('indexes:indexes')}?{urlencode({'base': base.slug})}")


def _check(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied("Your role does not allow that. Ask an owner or an administrator.")
