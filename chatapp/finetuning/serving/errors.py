from __future__ import annotations

from knowledge.errors import KnowledgeError, NotFound


class ServerNotFound(NotFound):
    default_message = "No such model server."


class ServingRefused(KnowledgeError):
    """A server cannot be had like that; the message says why and what comes first."""

    code = "serving_refused"
    status = 409


class ServerSilent(KnowledgeError):
    """A model server does not answer, or refuses; the message is its own where it gave one."""

    code = "model_server_silent"
    status = 502
    permanent = False
    default_message = "The model server does not answer."
