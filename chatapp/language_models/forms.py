"""The form of a model, made from what its provider asks for. Keys are never put into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from chatapp.language_models.catalogue import editable, provider_settings
from chatapp.language_models.keys import key_names
from chatapp.language_models.models import LanguageModel
from chatapp.language_models.providers import OPTIONS, Option, Provider, Setting
from knowledge.llm import dialect

__all__ = ["FormField", "ModelForm"]

NUMBERS = ("context_window", "max_output_tokens", "max_parallel", "price_prompt", "price_completion")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One input as the template draws it. ``kind``: text, address, secret, credentials, number or choice."""

    name: str
    label: str
    kind: str
    value: str = ""
    help: str = ""
    example: str = ""
    required: bool = False
    is_set: bool = False  # a secret that is stored
    choices: tuple[str, ...] = ()


class ModelForm:
    """What was typed in, or what is stored; everything is checked by the catalogue."""

    def __init__(
        self, provider: Provider | None, *, model: LanguageModel | None = None, data: QueryDict | None = None,
        is_operator: bool = False,
    ) -> None:  # fmt: skip
        self.provider, self.model, self._data = provider, model, data
        self.is_operator = is_operator
        self._set = set(key_names(model)) if model else set()
        self._told = provider_settings(model) if model else {}

    def may(self, name: str) -> bool:
        return self.model is None or name in editable(self.model)

    @property
    def has_connection(self) -> bool:
        return self.provider is not None and self.may("settings")

    @property
    def has_limits(self) -> bool:
        return self.may("context_window")

    @property
    def may_cite(self) -> bool:
        """Whether the provider can cite by itself."""
        return self.provider is not None and dialect(f"{self.provider.prefix}x") is not None

    @property
    def may_share(self) -> bool:
        return self.model is None and self.is_operator

    @property
    def settings(self) -> list[FormField]:
        assert self.provider is not None
        return [self._setting(setting) for setting in self.provider.settings]

    @property
    def options(self) -> list[FormField]:
        assert self.provider is not None
        return [self._option(OPTIONS[name]) for name in self.provider.options]

    @property
    def values(self) -> dict[str, str]:
        """Name, model, limits and prices as they stand in their inputs."""
        return {name: self._value(name) for name in ("name", "model", *NUMBERS)}

    @property
    def fallback(self) -> str:
        stored = self.model.fallback_id if self.model else None
        return self._data.get("fallback", "") if self._data is not None else str(stored or "")

    @property
    def switches(self) -> dict[str, bool]:
        if self._data is not None:
            return {name: self._data.get(name) == "on" for name in ("native_citations", "shared")}
        local = self.provider is not None and self.provider.is_local
        return {"native_citations": bool(self.model and self.model.native_citations), "shared": local}

    def given(self) -> dict[str, Any]:
        """Return what was typed in, as the catalogue takes it. A secret left empty is the stored one."""
        assert self._data is not None
        found: dict[str, Any] = {"fallback": self._data.get("fallback", "")}
        found |= {name: self._data.get(name, "") for name in NUMBERS if self.may(name)}
        if self.may("name"):
            found["name"] = self._data.get("name", "")
        if self.may_cite:
            found["native_citations"] = self._data.get("native_citations") == "on"
        if self.has_connection and self.provider is not None:
            found["model"] = self._data.get("model", "")
            plain = [setting.name for setting in self.provider.settings if not setting.is_secret]
            found["settings"] = {name: self._data.get(f"setting.{name}", "") for name in plain}
            found["options"] = {name: self._data.get(f"option.{name}", "") for name in self.provider.options}
            found["secrets"] = self._secrets(self.provider)
        if self.model is None and self.provider is not None:
            found |= {"provider": self.provider.slug, "shared": self.is_operator and self._data.get("shared") == "on"}
        return found

    def _secrets(self, provider: Provider) -> dict[str, str]:
        assert self._data is not None
        forget = set(self._data.getlist("forget"))
        typed = {name: self._data.get(f"setting.{name}", "") for name in provider.secrets}
        return {name: value for name, value in typed.items() if value or name in forget}

    def _setting(self, setting: Setting) -> FormField:
        name = f"setting.{setting.name}"
        stored = "" if setting.is_secret else self._told.get(setting.name, "")
        typed = self._data.get(name, "") if self._data is not None and not setting.is_secret else stored
        required = setting.required and not (self.is_operator and setting.is_secret)
        return FormField(
            name=name, label=setting.label, kind=setting.kind, value=typed, help=setting.help, example=setting.example,
            required=required, is_set=setting.name in self._set,
        )  # fmt: skip

    def _option(self, option: Option) -> FormField:
        name = f"option.{option.name}"
        stored = self.model.options.get(option.name, "") if self.model else ""
        typed = self._data.get(name, "") if self._data is not None else str(stored)
        kind = "choice" if option.kind == "choice" else "number"
        return FormField(
            name=name, label=option.label, kind=kind, value=typed, help=option.help, choices=option.choices
        )  # fmt: skip

    def _value(self, name: str) -> str:
        if self._data is not None:
            return self._data.get(name, "")
        stored = getattr(self.model, name) if self.model else None
        if stored is None:
            return ""
        if name == "model" and self.provider is not None:
            return str(stored).removeprefix(self.provider.prefix)
        return f"{stored.normalize():f}" if name.startswith("price_") else str(stored)
