from __future__ import annotations

from knowledge.errors import KnowledgeError, NotFound


class VersionNotFound(NotFound):
    default_message = "No such version of a model."


class FineTunedModelNotFound(NotFound):
    default_message = "No such fine-tuned model."


class RegistryRefused(KnowledgeError):
    """What was asked cannot be done with this version; the message says why and what comes first."""

    code = "registry_refused"
    status = 409
