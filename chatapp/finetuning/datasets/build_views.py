"""Ways to add rows: a file, answers, a question of one's own, a file of questions, documents."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from chatapp.accounts.pages import member_page
from chatapp.finetuning.datasets import access, queueing, services, starting
from chatapp.finetuning.datasets.build_presentation import rows_told
from chatapp.finetuning.datasets.uploads import MOST_BYTES, MOST_LINES, bytes_of
from chatapp.finetuning.datasets.views import form_page, number, only_editors
from chatapp.finetuning.datasets.writing import add_curated
from knowledge.errors import KnowledgeError, NotFound
from knowledge.tenants.access import Actor

MOST_QUESTION_BYTES = 5 * 2**20


@form_page
@member_page
def upload(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Show how files of rows look; have the rows of one proposed."""
    only_editors(actor)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    context: dict[str, Any] = {"here": "data", "dataset": dataset, "megabytes": MOST_BYTES // 2**20, "rows": MOST_LINES}
    if request.method == "POST":
        try:
            data, name = bytes_of(request.FILES.get("file"))
            starting.start_file(actor=actor, dataset=dataset, data=data, name=name)
            return redirect("datasets:dataset", dataset_id)
        except KnowledgeError as error:
            context["problem"] = error.message
    return render(request, "datasets/upload.html", context)


@require_POST
@member_page
def answers(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Have rows of answers that were given proposed."""
    only_editors(actor)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    try:
        starting.start_answers(actor=actor, dataset=dataset, to_correct=request.POST.get("which") == "wrong")
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect("datasets:dataset", dataset_id)


@require_POST
@member_page
def check(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Have all rows of the draft checked again."""
    only_editors(actor)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    try:
        starting.start_check(actor=actor, dataset=dataset)
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect("datasets:dataset", dataset_id)


@form_page
@member_page
def write(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Show the form of a row of one's own; propose it."""
    only_editors(actor)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    problem = ""
    if request.method == "POST":
        fields = {name: request.POST.get(name, "") for name in ("question", "answer", "document", "quote")}
        fields["document"] = fields["document"].strip().rstrip("/").rpartition("/")[2]  # an address of the reader too
        try:
            counts = add_curated(actor=actor, dataset=dataset, **fields)
            messages.success(request, f"{rows_told(counts)}.")
            return redirect("datasets:write", dataset_id)
        except NotFound:
            problem = "There is no such document for you. Copy its address from the reader."
        except KnowledgeError as error:
            problem = error.message
    context = {"here": "data", "dataset": dataset, "typed": request.POST, "problem": problem}
    return render(request, "datasets/write.html", context)


@require_POST
@member_page
def questions(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Make rows of a file of questions, or keep its questions out of all rows."""
    only_editors(actor)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    try:
        data, name = bytes_of(request.FILES.get("file"), most=MOST_QUESTION_BYTES)
        if request.POST.get("use") == "keep_out":
            kept, notes = services.keep_out(actor=actor, dataset=dataset, data=data, name=name)
            messages.success(request, " ".join([f"{kept} questions are kept out of training rows.", *notes]))
        else:
            assistant = request.POST.get("assistant", "")
            starting.start_questions(actor=actor, dataset=dataset, data=data, name=name, assistant=assistant)
    except KnowledgeError as error:
        messages.error(request, error.message)
    return redirect("datasets:dataset", dataset_id)


@require_http_methods(["POST"])
@member_page
def make(request: HttpRequest, actor: Actor, dataset_id: uuid.UUID) -> HttpResponse:
    """Say what making rows from documents would take; with ``go`` begin."""
    only_editors(actor)
    dataset = access.access_dataset(actor=actor, pk=dataset_id)
    asked: dict[str, Any] = {
        "passages": number(request, "passages", 0), "per_passage": number(request, "per_passage", 1),
        "model": request.POST.get("model", ""),
    }  # fmt: skip
    assistant = request.POST.get("assistant", "")
    try:
        if request.POST.get("go"):
            starting.start_synthesis(actor=actor, dataset=dataset, assistant=assistant, **asked)
            return redirect("datasets:dataset", dataset_id)
        _, chosen, told = starting.planned(actor=actor, dataset=dataset, **asked)
    except KnowledgeError as error:
        messages.error(request, error.message)
        return redirect("datasets:dataset", dataset_id)
    context = {
        "here": "data",
        "dataset": dataset,
        "asked": asked,
        "assistant": assistant,
        "chosen": chosen,
        "told": told,
    }
    return render(request, "datasets/make.html", context)


@require_POST
@member_page
def cancel(request: HttpRequest, actor: Actor, build_id: uuid.UUID) -> HttpResponse:
    """Stop a build; the rows it proposed stay."""
    only_editors(actor)
    build = access.access_build(actor=actor, pk=build_id)
    queueing.cancel_build(actor=actor, build=build)
    return redirect("datasets:dataset", build.dataset_id)
