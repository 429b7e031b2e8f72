"""What can be wrong with an entry of the catalogue."""

from __future__ import annotations

from knowledge.errors import KnowledgeError, NotFound


class ModelNotFound(NotFound):
    default_message = "No such model."


class ModelMisconfigured(KnowledgeError):
    """``field`` names the input that is meant, empty where it is all of them."""

    code = "model_misconfigured"
    status = 400
    default_message = "The settings of the model are not complete."

    def __init__(self, message: str | None = None, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class ModelInUse(KnowledgeError):
    code = "model_in_use"
    status = 409
    default_message = "The model is in use."
