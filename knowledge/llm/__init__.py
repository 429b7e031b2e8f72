"""The only door to LiteLLM. Importing this package does not import LiteLLM."""

from knowledge.llm.boot import close_clients, run_apart, warm_up
from knowledge.llm.gateway import complete, stream
from knowledge.llm.listing import Limits, limits_of
from knowledge.llm.local import is_local, register_local_provider
from knowledge.llm.native import dialect
from knowledge.llm.prices import price_of
from knowledge.llm.tuning import Tuning, TuningJob, provider_for
from knowledge.llm.types import (
    Answering,
    Completion,
    Deadlines,
    Delta,
    Document,
    Finish,
    Handover,
    LocalModel,
    Message,
    Meter,
    Metered,
    ModelSettings,
    NativeCitation,
    Price,
    StreamEvent,
    Usage,
    estimate_tokens,
    estimate_usage,
)
from knowledge.llm.vectors import embed, rerank

__all__ = [
    "Answering",
    "Completion",
    "Deadlines",
    "Delta",
    "Document",
    "Finish",
    "Handover",
    "Limits",
    "LocalModel",
    "Message",
    "Meter",
    "Metered",
    "ModelSettings",
    "NativeCitation",
    "Price",
    "StreamEvent",
    "Tuning",
    "TuningJob",
    "Usage",
    "close_clients",
    "complete",
    "dialect",
    "embed",
    "estimate_tokens",
    "estimate_usage",
    "is_local",
    "limits_of",
    "price_of",
    "provider_for",
    "register_local_provider",
    "rerank",
    "run_apart",
    "stream",
    "warm_up",
]
