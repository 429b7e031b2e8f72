"""The page of questions that ended without an answer."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.unanswered import services
from chatapp.unanswered.selectors import unanswered, with_places
from knowledge.tenants.access import Actor

PERIODS = (7, 30, 90)
STATES = {"open": "Open", "done": "Done", "ignored": "Ignored"}
PAGE = 25


@require_safe
@member_page
def questions(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the questions of a period that are open, done or ignored."""
    _check(actor)
    days, state = _days(request.GET.get("days", "")), _state(request.GET.get("state", ""))
    found = unanswered(actor=actor, days=days)
    page = Paginator([one for one in found if one.state == state], PAGE).get_page(request.GET.get("page"))
    context = {
        "days": days, "periods": PERIODS, "state": state, "page": page,
        "states": [(name, words, sum(one.state == name for one in found)) for name, words in STATES.items()],
        "questions": with_places(list(page.object_list), actor=actor),
    }  # fmt: skip
    return render(request, "unanswered/questions.html", context)


@require_POST
@member_page
def mark(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Mark a question as done or ignored, or open it again."""
    _check(actor)
    services.mark(actor=actor, run=request.POST.get("run", ""), state=request.POST.get("mark", ""))
    kept = {"days": str(_days(request.POST.get("days", ""))), "state": _state(request.POST.get("state", ""))}
    return redirect(f"{reverse('unanswered:questions')}?{urlencode(kept)}")


def _check(actor: Actor) -> None:
    if not actor.can_edit:
        raise PermissionDenied("Your role does not show other people's questions.")


def _days(text: str) -> int:
    return next((days for days in PERIODS if str(days) == text), 30)


def _state(text: str) -> str:
    return text if text in STATES else "open"
