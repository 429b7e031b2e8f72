"""What the page of a new run asks for. The services say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatapp.finetuning.datasets.models import DatasetVersion
from chatapp.finetuning.training import access, bases, hosted_start, services
from chatapp.finetuning.training.estimate import Estimate, of_hosted, of_local, training_price
from chatapp.finetuning.training.models import BaseModel, TrainingRun
from chatapp.finetuning.training.presentation import ADAPTER_ONLY, NAMES, estimate_facts
from chatapp.finetuning.training.recipes import METHODS, Recipe, RecipeRefused, defaults, recipe_from
from chatapp.finetuning.training.tunable import access_tunable, tunable_models
from chatapp.language_models.models import LanguageModel
from knowledge.errors import KnowledgeError
from knowledge.tenants.access import Actor

__all__ = ["RunForm"]

MAIN = ("epochs", "learning_rate", "batch", "rank")
EXPLAINED = {
    "lora": ("LoRA", "Learns a small addition to the model. The usual choice: little memory, quick, small files."),
    "qlora": (
        "QLoRA",
        "LoRA on a model pressed into 4 bits. For models that would not fit the memory otherwise; slower.",
    ),
    "dora": ("DoRA", "LoRA that learns size and direction apart. Sometimes a little better, always slower."),
    "full": ("Full fine-tuning", "Changes every weight. Needs the most memory and forgets the most; for tiny models."),
}
HOSTED_FIELDS = ("epochs", "learning_rate_multiplier", "batch", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeField:
    name: str
    label: str
    value: str
    default: str


class RunForm:
    """What was chosen so far; everything that is left empty has its default."""

    def __init__(self, actor: Actor, data: Mapping[str, Any]) -> None:
        self.actor, self._data = actor, data
        self.versions = list(access.frozen_versions(actor=actor).order_by("dataset__name", "-number")[:200])
        self.bases = list(bases.visible_bases(actor=actor).order_by("name")[:200])
        self.entries = tunable_models(actor=actor)
        self.version: DatasetVersion | None = self._version()
        self.base: BaseModel | None = None
        self.entry: LanguageModel | None = None
        self._choose()

    def _get(self, name: str) -> str:
        return str(self._data.get(name, "")).strip()

    def _version(self) -> DatasetVersion | None:
        asked = self._get("version")
        return access.access_frozen_version(actor=self.actor, pk=asked) if asked else next(iter(self.versions), None)

    def _choose(self) -> None:
        """Take the named base model or provider, or the first there is."""
        kind, _, pk = self._get("where").partition(":")
        if kind == "base":
            self.base = bases.access_base(actor=self.actor, pk=pk)
        elif kind == "entry":
            self.entry = access_tunable(actor=self.actor, pk=pk)
        else:
            self.base = next(iter(self.bases), None)
            self.entry = next(iter(self.entries), None) if self.base is None else None

    @property
    def where(self) -> str:
        if self.base:
            return f"base:{self.base.pk}"
        return f"entry:{self.entry.pk}" if self.entry else ""

    @property
    def is_complete(self) -> bool:
        return self.version is not None and bool(self.where)

    @property
    def rows(self) -> int:
        return services.rows_in(self.version) if self.version else 0

    @property
    def gate(self) -> Any:
        """What so many rows are good for."""
        from chatapp.finetuning.datasets.gates import gate_of

        return gate_of(self.rows)

    @property
    def method(self) -> str:
        asked = self._get("method")
        return asked if asked in METHODS else "lora"

    @property
    def methods(self) -> list[tuple[str, str, str]]:
        return [(name, *EXPLAINED[name]) for name in METHODS]

    @property
    def name(self) -> str:
        return self._get("name")

    @property
    def hosted_model(self) -> str:
        return self._get("hosted_model") or (self.entry.model.partition("/")[2] if self.entry else "")

    @property
    def price(self) -> str:
        return self._get("training_price")

    @property
    def usual_price(self) -> str:
        """What the entry says, where it says any."""
        found = training_price(self.entry) if self.entry else None
        return "not known" if found is None else f"{found:g}"

    @property
    def main_fields(self) -> list[RecipeField]:
        return self._fields(MAIN if self.base else HOSTED_FIELDS)

    @property
    def more_fields(self) -> list[RecipeField]:
        return self._fields([name for name in Recipe.names() if name not in (*MAIN, "method")]) if self.base else []

    def _fields(self, names: Any) -> list[RecipeField]:
        usual: dict[str, Any] = {}
        if self.base:
            usual = defaults(self.method, window=self.base.context_window, rows=self.rows).as_json()
        return [
            RecipeField(name=n, label=NAMES[n], value=self._get(n), default=str(usual.get(n, "the provider’s choice")))
            for n in names if not (self.base and self.method == "full" and n in ADAPTER_ONLY)
        ]  # fmt: skip

    def recipe(self) -> dict[str, Any]:
        names = Recipe.names() if self.base else HOSTED_FIELDS
        given = {name: self._get(name) for name in names if self._get(name)}
        return {**given, "method": self.method} if self.base else given

    def estimate(self) -> tuple[list[tuple[str, str]], list[str]]:
        """Return facts and warnings; a recipe that makes no sense is a warning too."""
        if self.version is None or not self.where:
            return [], []
        try:
            found = self._reckoned(self.version)
        except KnowledgeError as error:
            return [], [error.message]
        return list(estimate_facts(found)), list(found.warnings)

    def _reckoned(self, version: DatasetVersion) -> Estimate:
        if self.base is not None:
            recipe = recipe_from(self.recipe(), window=self.base.context_window, rows=self.rows)
            return of_local(base=self.base, recipe=recipe, version=version)
        assert self.entry is not None
        made = hosted_start.settings_of(
            self.entry, hosted_model=self.hosted_model, given=self.recipe(), price=self.price
        )
        return of_hosted(model=self.entry, version=version, epochs=made.recipe.get("epochs"), said=made.price)

    def start(self) -> TrainingRun:
        """:raises KnowledgeError: the services refused, in words."""
        if self.version is None:
            raise RecipeRefused("Choose the data to train on. Freeze a version of a dataset first.")
        if self.base is not None:
            return services.start_run(
                actor=self.actor, version=self.version, base=self.base, recipe=self.recipe(), name=self.name
            )
        if self.entry is None:
            raise RecipeRefused("Choose a base model, or a provider.")
        return services.start_hosted_run(
            actor=self.actor, version=self.version, model=self.entry, hosted_model=self.hosted_model,
            recipe=self.recipe(), name=self.name, price=self.price,
        )  # fmt: skip
