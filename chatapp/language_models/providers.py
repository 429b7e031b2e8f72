"""Who serves language models: how LiteLLM names them, and what each asks for.

A frozen table: prefixes and arguments are those of LiteLLM's own source, and nothing but what stands here ever reaches
it, since many of its arguments read files, name hosts or run programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["OPTIONS", "PROVIDERS", "Option", "Provider", "Setting", "provider_of"]

ADDRESS: Final = "api_base"
KEY: Final = "api_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Something a provider must be told. ``name`` is LiteLLM's argument, ``shape`` a regular expression of it all."""

    name: str
    label: str
    kind: Literal["address", "text", "secret", "credentials"] = "text"
    required: bool = True
    shape: str = ""
    example: str = ""
    help: str = ""

    @property
    def is_secret(self) -> bool:
        return self.kind in ("secret", "credentials")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A further argument of a call, which may stay empty."""

    name: str
    label: str
    kind: Literal["whole", "number", "choice"]
    least: float = 0
    most: float = 0
    choices: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """``ambient``: without a key LiteLLM takes one from the environment, which only operators may use."""

    slug: str
    title: str
    prefix: str
    settings: tuple[Setting, ...]
    example: str
    hint: str
    options: tuple[str, ...] = ()
    is_local: bool = False
    ambient: bool = False

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(setting.name for setting in self.settings if setting.is_secret)

    @property
    def needs_key(self) -> bool:
        return any(setting.is_secret and setting.required for setting in self.settings)


_REGION = r"[a-z]+(-[a-z]+){1,3}-?\d{1,2}"  # it becomes part of a host's name, so nothing else may stand in it
_API_KEY: Final = Setting(name=KEY, label="API key", kind="secret")
_OPTIONAL_KEY: Final = Setting(
    name=KEY, label="API key", kind="secret", required=False, help="If the server asks for one."
)
_SERVER: Final = Setting(
    name=ADDRESS, label="Address", kind="address", example="http://127.0.0.1:8000/v1", help="Usually ends with /v1."
)
_OF_OPENAI: Final = ("temperature", "top_p", "seed", "reasoning_effort")
_OF_ALL: Final = ("temperature", "top_p")

OPTIONS: Final[Mapping[str, Option]] = MappingProxyType(
    {
        option.name: option
        for option in (
            Option(name="temperature", label="Temperature", kind="number", most=2, help="Empty: 0, the steadiest."),
            Option(name="top_p", label="Top-p", kind="number", most=1),
            Option(name="seed", label="Seed", kind="whole", most=2**31 - 1),
            Option(
                name="reasoning_effort", label="Reasoning effort", kind="choice",
                choices=("none", "minimal", "low", "medium", "high"), help="Of models that think before they answer.",
            ),
            Option(
                name="num_ctx", label="Context of the server", kind="whole", least=512, most=4_000_000,
                help="Tokens. Ollama cuts longer prompts without a word: as many as the context window above.",
            ),
        )
    }
)  # fmt: skip


def _hosted(
    slug: str, title: str, example: str, hint: str = "", *, prefix: str = "", options: tuple[str, ...] = _OF_ALL
) -> Provider:
    return Provider(
        slug=slug, title=title, prefix=prefix or f"{slug}/", settings=(_API_KEY,), example=example, hint=hint,
        options=options, ambient=True,
    )  # fmt: skip


def _server(
    slug: str, title: str, prefix: str, example: str, hint: str, *, settings: tuple[Setting, ...] = (),
    options: tuple[str, ...] = _OF_OPENAI,
) -> Provider:  # fmt: skip
    return Provider(
        slug=slug, title=title, prefix=prefix, settings=settings or (_SERVER, _OPTIONAL_KEY), example=example,
        hint=hint, options=options, is_local=True,
    )  # fmt: skip


_OLLAMA_ADDRESS: Final = Setting(name=ADDRESS, label="Address", kind="address", example="http://127.0.0.1:11434")

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {
        provider.slug: provider
        for provider in (
            _hosted("openai", "OpenAI", "gpt-5-mini", "The key begins with sk-.", options=_OF_OPENAI),
            _hosted("anthropic", "Anthropic", "claude-sonnet-4-5", "It can cite by itself as well."),
            Provider(
                slug="azure", title="Azure OpenAI", prefix="azure/", example="my-deployment",
                settings=(
                    Setting(
                        name=ADDRESS, label="Endpoint", kind="address", example="https://my-resource.openai.azure.com"
                    ),
                    Setting(
                        name="api_version", label="API version", example="2024-10-21",
                        shape=r"(\d{4}-\d{2}-\d{2}(-preview)?|preview|latest|v1)",
                    ),
                    _API_KEY,
                ),
                hint="The model is the name of your deployment, not of the model behind it.", options=_OF_OPENAI,
            ),
            Provider(
                slug="bedrock", title="Amazon Bedrock", prefix="bedrock/", ambient=True,
                example="anthropic.claude-3-5-sonnet-20240620-v1:0",
                settings=(
                    Setting(name="aws_region_name", label="Region", shape=_REGION, example="eu-central-1"),
                    Setting(name="aws_access_key_id", label="Access key ID", kind="secret", shape=r"[A-Z0-9]{16,128}"),
                    Setting(name="aws_secret_access_key", label="Secret access key", kind="secret"),
                ),
                hint="Its access must have been granted to your account in this region.", options=_OF_ALL,
            ),
            Provider(
                slug="vertex_ai", title="Google Vertex AI", prefix="vertex_ai/", ambient=True,
                example="gemini-2.5-flash",
                settings=(
                    Setting(
                        name="vertex_project", label="Project", shape=r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
                        example="my-project-123",
                    ),
                    Setting(
                        name="vertex_location", label="Location", shape=rf"({_REGION}|global|eu|us)",
                        example="europe-west4",
                    ),
                    Setting(
                        name="vertex_credentials", label="Key of a service account", kind="credentials",
                        help="The whole JSON file, as Google Cloud gives it to you.",
                    ),
                ),
                hint="The service account needs the role “Vertex AI User”.", options=_OF_ALL,
            ),
            _hosted("gemini", "Google Gemini", "gemini-2.5-flash", "The key is one of Google AI Studio."),
            _hosted("mistral", "Mistral", "mistral-small-latest"),
            _hosted(
                "cohere", "Cohere", "command-a-03-2025", "It can cite by itself as well.", prefix="cohere_chat/"
            ),
            _hosted("groq", "Groq", "openai/gpt-oss-120b", options=_OF_OPENAI),
            _hosted("together_ai", "Together AI", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
            _hosted("deepseek", "DeepSeek", "deepseek-chat"),
            _hosted("fireworks_ai", "Fireworks AI", "accounts/fireworks/models/llama-v3p3-70b-instruct"),
            _hosted("openrouter", "OpenRouter", "openai/gpt-5-mini", options=_OF_OPENAI),
            _hosted("xai", "xAI", "grok-4", options=_OF_OPENAI),
            _hosted("cerebras", "Cerebras", "llama3.1-8b"),
            _server(
                "vllm", "vLLM", "hosted_vllm/", "qwen3-4b", "The model is the name it is served under."
            ),
            _server(
                "ollama", "Ollama", "ollama_chat/", "qwen3:4b", "The model as “ollama list” shows it.",
                settings=(_OLLAMA_ADDRESS, _OPTIONAL_KEY), options=("temperature", "top_p", "seed", "num_ctx"),
            ),
            _server(
                "llama_cpp", "llama.cpp", "openai/", "local", "llama-server serves one model and takes any name for it."
            ),
            _server(
                "openai_compatible", "OpenAI-compatible server", "openai/", "my-model",
                "LM Studio, SGLang, TGI, LiteLLM’s proxy and whatever else offers /v1/chat/completions.",
            ),
            _server(
                "footnote", "Footnote’s model server", "hosted_vllm/", "base",
                "One that runs on another machine; those of this installation are listed by themselves.",
            ),
        )
    }
)  # fmt: skip


def provider_of(slug: str) -> Provider | None:
    """Return the provider of that name, None where there is none."""
    return PROVIDERS.get(slug)
