"""The search page: what a question finds and why, what other settings would find, and what chat shall use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from chatapp.accounts.pages import member_page
from chatapp.conversations import services
from chatapp.conversations.retrieval import SETTINGS, SettingRefused, profile_of
from chatapp.language_models.budgets import ensure_within
from chatapp.language_models.models import UsageEntry
from chatapp.language_models.services import model_settings
from chatapp.language_models.usage import Ledger
from chatapp.searching.asking import Asked, asked_of
from chatapp.searching.forms import MOST
from chatapp.searching.presentation import Column, column_of, compared, stored_column, versions_in
from knowledge import llm
from knowledge.documents.access import scope_of
from knowledge.documents.searching import search as search_documents
from knowledge.documents.selectors import media_types
from knowledge.errors import KnowledgeError, NotAllowed, NotFound
from knowledge.retrieval.base import RetrievalProfile
from knowledge.retrieval.rewriting import can_rewrite, rewrite
from knowledge.tenants.access import Actor
from knowledge.types import Query, Rewritten

OWN = "its own"  # the value of a setting that somebody else decides
KEPT = ("q", "previous", "answer", "limit", "base", "assistant", "run")
"""Parameters of an address that stay when its settings are put back."""


@require_safe
@member_page
def search(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Search as the chat does; with changed settings twice, side by side; with ``run`` beside what an answer had."""
    asked = asked_of(request.GET, actor=actor)
    columns, failed = _columns(asked, actor) if asked.query is not None and not asked.wrong else ([], "")
    context = {
        "asked": asked,
        "form": asked.form,
        "columns": columns,
        "failed": failed,
        "settings": _settings(asked, request.GET),
        "settings_open": bool(asked.changed or asked.wrong),
        "can_save": actor.can_edit and bool(asked.changed and asked.assistant and columns),
        "tried": asked.tried,
        "here": request.GET.urlencode(),
        "as_saved": _address(request.GET),
        "question_bytes": settings.MAX_QUESTION_BYTES,
        "most": MOST,
    }
    return render(request, "searching/search.html", context)


@require_POST
@member_page
def save(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Let the assistant search with the settings that were tried."""
    tried = {name: _value(request.POST[name]) for name in SETTINGS if name in request.POST}
    try:
        assistant = services.save_retrieval(actor=actor, slug=request.POST.get("assistant", ""), settings=tried)
    except NotAllowed as err:
        raise PermissionDenied(err.message) from err
    except SettingRefused as err:
        messages.error(request, err.message)
    else:
        messages.success(request, f"“{assistant.name}” searches with these settings from the next question on.")
    return redirect(_address(QueryDict(request.POST.get("here", ""))))


def _value(text: str) -> object:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _address(given: QueryDict) -> str:
    """Return the page's address with what was asked and without settings."""
    kept = QueryDict(mutable=True)
    for name in KEPT:
        if name in given:
            kept.setlist(name, given.getlist(name))
    address = reverse("searching:search")
    return f"{address}?{kept.urlencode()}" if kept else address


def _columns(asked: Asked, actor: Actor) -> tuple[list[Column], str]:
    """Return one search, or two side by side, and why it failed."""
    assert asked.query is not None
    scope = scope_of(actor=actor, bases=asked.searched)
    now = "Now" if asked.run else "Saved settings"
    tries = [(now, asked.saved)] if not (asked.run and asked.changed) else []
    tries += [("Now, with changed settings" if asked.run else "Changed settings", asked.tried)] if asked.changed else []
    try:
        queries = _rewritten(asked, [profile_of(used) for _, used in tries], actor)
        results = [
            search_documents(query, scope=scope, profile=profile_of(used))
            for query, (_, used) in zip(queries, tries, strict=True)
        ]
    except KnowledgeError as err:
        if isinstance(err, NotFound):
            raise Http404(err.message) from err
        return [], err.message
    media = media_types(versions_in(results, asked.run))
    columns = [
        column_of(title, result, media=media, differs=_differences(asked) if used is not asked.saved else ())
        for (title, used), result in zip(tries, results, strict=True)
    ]
    if asked.run is not None and asked.shown is not None:
        columns.insert(0, stored_column(asked.run, shown=asked.shown, why=results[0].explanation, media=media))
    return list(compared(*columns)) if len(columns) == 2 else columns, ""


def _rewritten(asked: Asked, profiles: Sequence[RetrievalProfile], actor: Actor) -> list[Query]:
    """Return the query for each profile as the assistant's language model writes it; of an answer, as it did then."""
    assert asked.query is not None
    query, model = asked.query, asked.assistant.language_model if asked.assistant else None
    if model is None or asked.run is not None:
        return [query] * len(profiles)
    try:
        settings = model_settings(model)
        ensure_within(actor)
    except KnowledgeError as err:
        said = Rewritten(notes=(f"The question was searched as it was asked: {err.message}",))
        return [replace(query, rewritten=said)] * len(profiles)
    ledger = Ledger(actor)
    complete = partial(llm.complete, meter=ledger.meter(UsageEntry.Purpose.REWRITE))

    async def write() -> list[Query]:
        made: dict[tuple[bool, bool, bool], Query] = {}
        for one in profiles:
            wanted = one.condense, one.expand, one.decompose
            if wanted not in made:
                made[wanted] = await rewrite(query, model=settings, profile=one, complete=complete)
        return [made[one.condense, one.expand, one.decompose] for one in profiles]

    if not can_rewrite(settings):
        return [query] * len(profiles)
    try:
        return async_to_sync(write)()
    finally:
        ledger.write()


def _differences(asked: Asked) -> list[str]:
    """Say how the settings that are tried differ from the saved ones."""
    return [
        f"{SETTINGS[name].label} {_said(name, value)} instead of "
        f"{_said(name, asked.saved.get(name, SETTINGS[name].default))}"
        for name, value in asked.changed.items()
    ]


def _said(name: str, value: float | None) -> str:
    return ("on" if value else "off") if SETTINGS[name].switch else _shown(value) or OWN


def _settings(asked: Asked, given: QueryDict) -> list[dict[str, Any]]:
    """Return the fields of the settings as they are shown: the value tried, the value saved, what is wrong."""
    return [
        {
            "setting": setting,
            "value": given.get(name, "") if name in asked.wrong else _shown(asked.tried.get(name, setting.default)),
            "saved": _shown(asked.saved.get(name, setting.default)),
            "changed": name in asked.changed,
            "error": asked.wrong.get(name, ""),
        }
        for name, setting in SETTINGS.items()
    ]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
