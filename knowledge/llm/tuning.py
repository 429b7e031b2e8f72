"""Fine-tuning by a provider: files and jobs of OpenAI's shape. Synchronous: workers call it, one step at a time.

Nothing is sent twice here: whether a call that failed had come through is for the caller to find out by listing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from knowledge.errors import LanguageModelError, ModelRefused
from knowledge.llm.boot import litellm
from knowledge.llm.faults import fault_from
from knowledge.llm.types import ModelSettings, key_for

__all__ = ["Tuning", "TuningJob", "provider_for"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

PROVIDERS = {"openai": "openai", "custom_openai": "openai", "hosted_vllm": "openai", "azure": "azure"}
"""By prefix of the model string; the others have an interface of their own, or none."""
LISTED = 100
PAGES = 20
SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJob:
    """``status``: queued, running, succeeded, failed or cancelled. ``model`` is what came out, as the provider says."""

    id: str
    status: str
    training_file: str
    suffix: str = ""
    model: str = ""
    error: str = ""
    trained_tokens: int = 0

    @property
    def is_over(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")


def provider_for(model: str) -> str | None:
    """Return who is asked for the fine-tuning of a model string; None where nobody can be."""
    prefix, slash, _ = model.partition("/")
    return PROVIDERS.get(prefix) if slash else None


class Tuning:
    """The files and jobs of one provider's account.

    Every method raises LanguageModelError: the provider did not answer, or refused; in words.
    """

    def __init__(self, settings: ModelSettings) -> None:
        """:raises ModelRefused: this provider cannot be asked."""
        provider = provider_for(settings.model)
        if provider is None:
            raise ModelRefused("This provider offers no fine-tuning that can be reached from here.")
        self._how: dict[str, Any] = {
            "custom_llm_provider": provider, "api_key": key_for(settings), "api_base": settings.api_base,
            "timeout": SECONDS, "max_retries": 0,
        }  # fmt: skip
        if "api_version" in settings.extra:
            self._how["api_version"] = settings.extra["api_version"]

    def upload(self, data: bytes, *, name: str) -> str:
        """Hand a file of rows over and return its id."""
        made = self._call(lambda llm: llm.create_file(file=(name, data), purpose="fine-tune", **self._how))
        return str(made.id)

    def find_file(self, name: str) -> str | None:
        """Return the id of a file by its name; None when the provider has none."""
        listed = self._call(lambda llm: llm.file_list(purpose="fine-tune", **self._how))
        for file in getattr(listed, "data", None) or listed or ():
            if getattr(file, "filename", None) == name:
                return str(file.id)
        return None

    def delete_file(self, file_id: str) -> None:
        self._call(lambda llm: llm.file_delete(file_id=file_id, **self._how))

    def create(
        self, model: str, *, training_file: str, validation_file: str | None, suffix: str,
        hyperparameters: Mapping[str, Any], seed: int | None,
    ) -> TuningJob:  # fmt: skip
        made = self._call(
            lambda llm: llm.create_fine_tuning_job(
                model=model, training_file=training_file, validation_file=validation_file, suffix=suffix,
                hyperparameters=dict(hyperparameters), seed=seed, **self._how,
            )
        )  # fmt: skip
        return _job(made)

    def find_job(self, *, training_file: str, suffix: str) -> TuningJob | None:
        """Return the job that was made of a file, or with a suffix; None when the provider has none."""
        for job in self._jobs():
            if job.training_file == training_file or (suffix and job.suffix == suffix):
                return job
        return None

    def retrieve(self, job_id: str) -> TuningJob:
        return _job(self._call(lambda llm: llm.retrieve_fine_tuning_job(fine_tuning_job_id=job_id, **self._how)))

    def cancel(self, job_id: str) -> TuningJob:
        return _job(self._call(lambda llm: llm.cancel_fine_tuning_job(fine_tuning_job_id=job_id, **self._how)))

    def _jobs(self) -> Iterator[TuningJob]:
        after: str | None = None
        for _ in range(PAGES):
            where = {**self._how, "after": after, "limit": LISTED}
            listed = self._call(lambda llm, where=where: llm.list_fine_tuning_jobs(**where))  # type: ignore[misc]
            found = [_job(each) for each in getattr(listed, "data", None) or ()]
            yield from found
            if not found or not getattr(listed, "has_more", False):
                return
            after = found[-1].id

    def _call(self, call: Callable[[Any], T]) -> T:
        try:
            return call(litellm())
        except LanguageModelError:
            raise
        except Exception as exc:  # the boundary to LiteLLM: providers raise whatever they like
            error = fault_from(exc, began=False).error
            logger.warning("fine-tuning call failed: %s", error.code)
            if isinstance(error, ModelRefused):
                raise ModelRefused(f"The provider refused: {_said(exc)}") from exc
            raise error from exc


def _said(exc: BaseException) -> str:
    """Return the provider's own sentence, which names the row or the limit that is wrong."""
    body = getattr(exc, "body", None)
    message = body.get("message") if isinstance(body, Mapping) else None
    return str(message or getattr(exc, "message", "") or type(exc).__name__)[:500]


def _job(found: Any) -> TuningJob:
    status = {"validating_files": "queued", "paused": "running"}.get(str(found.status), str(found.status))
    error = getattr(found.error, "message", None) if getattr(found, "error", None) else None
    return TuningJob(
        id=str(found.id), status=status, training_file=str(found.training_file or ""),
        suffix=str(getattr(found, "user_provided_suffix", None) or ""), model=str(found.fine_tuned_model or ""),
        error=str(error or ""), trained_tokens=int(found.trained_tokens or 0),
    )  # fmt: skip
