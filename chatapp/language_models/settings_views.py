"""Adding, changing and deleting models."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from chatapp.accounts.pages import member_page
from chatapp.language_models.access import is_operator, visible_models
from chatapp.language_models.catalogue import add_model, assistants_using, edit_model, remove_model
from chatapp.language_models.errors import ModelInUse, ModelMisconfigured, ModelNotFound
from chatapp.language_models.forms import ModelForm
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.providers import PROVIDERS, provider_of
from chatapp.language_models.views import only_administrators, own_model
from knowledge.tenants.access import Actor

form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@member_page
def choose(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Ask who serves the model that is to be added."""
    only_administrators(actor)
    hosted = [provider for provider in PROVIDERS.values() if not provider.is_local]
    local = [provider for provider in PROVIDERS.values() if provider.is_local]
    return render(request, "models/choose.html", {"here": "models", "hosted": hosted, "local": local})


@form_page
@member_page
def new(request: HttpRequest, actor: Actor, provider: str) -> HttpResponse:
    """Show the empty form of a provider; store what was filled in."""
    only_administrators(actor)
    found = provider_of(provider)
    if found is None:
        raise ModelNotFound
    form = ModelForm(found, data=_posted(request), is_operator=is_operator(actor))
    if request.method != "POST":
        return _show(request, actor, form)
    try:
        row = add_model(actor, form.given())
    except ModelMisconfigured as error:
        return _show(request, actor, form, problem=error)
    messages.success(request, f"“{row.name}” is added. Test it before an assistant uses it.")
    return redirect("language_models:model", row.pk)


@form_page
@member_page
def edit(request: HttpRequest, actor: Actor, model_id: int) -> HttpResponse:
    """Show the settings of a model; store what was changed."""
    row = own_model(actor, model_id)
    form = ModelForm(provider_of(row.provider), model=row, data=_posted(request), is_operator=is_operator(actor))
    if request.method != "POST":
        return _show(request, actor, form)
    had_keys, address = bool(row.sealed), row.api_base
    try:
        stored = edit_model(actor, row, form.given())
    except ModelMisconfigured as error:
        return _show(request, actor, form, problem=error)
    messages.success(request, "The settings are stored. They count from the next question on.")
    if had_keys and not stored.sealed and stored.api_base != address:
        messages.warning(request, "The address changed, so the key that was kept for the old one is removed.")
    return redirect("language_models:model", row.pk)


@form_page
@member_page
def delete(request: HttpRequest, actor: Actor, model_id: int) -> HttpResponse:
    """Ask once more, then delete a model that nobody uses."""
    row = own_model(actor, model_id)
    problem = ""
    if request.method == "POST":
        try:
            remove_model(actor, row)
        except ModelInUse as error:
            problem = error.message
        else:
            messages.success(request, f"“{row.name}” is deleted. What it has cost stays in the usage.")
            return redirect("language_models:list")
    fallen = LanguageModel.objects.of_tenant(actor.tenant_id).filter(fallback=row).order_by("name")
    context = {
        "here": "models", "model": row, "problem": problem, "is_used": bool(assistants_using(row)), "fallen": fallen
    }  # fmt: skip
    return render(request, "models/delete.html", context)


def _posted(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _show(
    request: HttpRequest, actor: Actor, form: ModelForm, *, problem: ModelMisconfigured | None = None
) -> HttpResponse:  # fmt: skip
    others = visible_models(actor).exclude(pk=form.model.pk if form.model else 0).order_by("name")
    context = {
        "here": "models", "form": form, "model": form.model, "provider": form.provider, "others": others,
        "problem": problem.message if problem else "",
    }  # fmt: skip
    return render(request, "models/form.html", context)
