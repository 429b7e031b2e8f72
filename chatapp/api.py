"""The HTTP API: routers put together, errors as RFC 9457 problem documents."""

from __future__ import annotations

import json
import logging
import re
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser

from chatapp.accounts.api import router as me
from chatapp.accounts.auth import KeyAuth, PageAuth
from chatapp.accounts.ratelimit import TooManyRequests
from chatapp.conversations import api as conversations
from chatapp.conversations.assistants_api import router as assistants
from chatapp.conversations.completions import router as completions
from chatapp.conversations.verifying import router as verify
from chatapp.finetuning.datasets.api import router as training_datasets
from chatapp.finetuning.registry import api as registry_api
from chatapp.finetuning.serving import api as serving_api
from chatapp.finetuning.training.api import base_models
from chatapp.finetuning.training.api import router as training_runs
from chatapp.language_models import usage_api
from chatapp.language_models.api import models
from chatapp.language_models.budgets import BudgetExhausted
from knowledge.documents import api as knowledge_api
from knowledge.documents.deletions.api import deletions
from knowledge.documents.indexes import api as generations_api
from knowledge.documents.schemas import storable
from knowledge.errors import KnowledgeError
from knowledge.syncing import api as syncing_api

logger = logging.getLogger(__name__)


class StorableParser(Parser):
    """JSON whose texts can be stored; only escapes can write the others."""

    def parse_body(self, request: HttpRequest) -> Any:
        data = super().parse_body(request)
        escaped = re.search(rb"\\u(?:0000|d[89a-f])", request.body, re.IGNORECASE)
        return storable(data) if escaped else data


api = NinjaAPI(
    parser=StorableParser(),
    title="Footnote",
    version="1",
    description="Documents in, answers out; every citation reproduces its words.",
    auth=[KeyAuth(), PageAuth()],
    docs_url=None,  # the documentation page of the library loads scripts from elsewhere
    urls_namespace="api",
)
api.add_router("/knowledge-bases", knowledge_api.bases)
api.add_router("/knowledge-bases", generations_api.of_bases)
api.add_router("/generations", generations_api.router)
api.add_router("/documents", knowledge_api.documents)
api.add_router("/knowledge-bases", syncing_api.bases)
api.add_router("/sources", syncing_api.sources)
api.add_router("/source-runs", syncing_api.runs)
api.add_router("/deletions", deletions)
api.add_router("/search", knowledge_api.search)
api.add_router("/chat/completions", completions)
api.add_router("/verify", verify)
api.add_router("/conversations", conversations.conversations)
api.add_router("/runs", conversations.runs)
api.add_router("/assistants", assistants)
api.add_router("/models", models)
api.add_router("/usage", usage_api.usage)
api.add_router("/budgets", usage_api.budgets)
api.add_router("/training-datasets", training_datasets)
api.add_router("/base-models", base_models)
api.add_router("/training-runs", training_runs)
api.add_router("/fine-tuned-models", registry_api.models)
api.add_router("/model-versions", registry_api.versions)
api.add_router("/model-servers", serving_api.router)
api.add_router("/me", me)


def problem(status: int, *, code: str, detail: str, **more: Any) -> HttpResponse:
    """Return an RFC 9457 problem document."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    return HttpResponse(json.dumps({**body, **more}), status=status, content_type="application/problem+json")


def missing(request: HttpRequest) -> HttpResponse:
    """Answer an address below ``/api/`` that does not exist as the interface answers everything."""
    return problem(404, code="not_found", detail="There is no such address in this interface.")


@api.exception_handler(KnowledgeError)
def on_knowledge_error(request: HttpRequest, error: KnowledgeError) -> HttpResponse:
    response = problem(error.status, code=error.code, detail=error.message)
    if isinstance(error, TooManyRequests | BudgetExhausted):
        response["Retry-After"] = str(error.retry_after)
    return response


@api.exception_handler(ValidationError)
def on_validation_error(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = [{"field": ".".join(str(part) for part in e["loc"]), "message": e["msg"]} for e in error.errors]
    return problem(422, code="invalid_request", detail="The request is not as the interface expects it.", errors=fields)


@api.exception_handler(AuthenticationError)
def on_authentication_error(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = problem(401, code="not_authenticated", detail="A valid API key or a signed-in session is needed.")
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(HttpError)
def on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    code = getattr(error, "code", HTTPStatus(error.status_code).name.lower())
    return problem(error.status_code, code=code, detail=str(error))


@api.exception_handler(RequestDataTooBig)
def on_too_large(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problem(413, code="request_too_large", detail="The request is larger than the interface accepts.")


@api.exception_handler(Http404)
def on_missing(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem(404, code="not_found", detail="Not found.")


@api.exception_handler(MultiPartParserError)
@api.exception_handler(SuspiciousOperation)
def on_malformed(request: HttpRequest, error: Exception) -> HttpResponse:
    return problem(400, code="bad_request", detail="The body of the request could not be read.")


@api.exception_handler(Exception)
def on_unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("Unexpected error on %s", request.path, exc_info=error)
    return problem(500, code="unexpected", detail="Something went wrong here. The error was recorded.")
