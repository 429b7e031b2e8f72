"""Settings to plug-ins: the one place where the knowledge package meets configuration.

Plug-ins are built on first use and kept for the life of the process; after a fork the child builds
its own, because model and store handles do not survive one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from knowledge.errors import EmbeddingFailed
from knowledge.parsing.base import ParseLimits

if TYPE_CHECKING:
    from knowledge.chunking.base import Chunker
    from knowledge.embedding.base import Embedder
    from knowledge.embedding.table import PieceTable
    from knowledge.parsing.reading import DocumentReader
    from knowledge.reranking.base import Reranker
    from knowledge.reranking.late import Stored
    from knowledge.stores.base import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeSettings:
    """What the knowledge package needs to know, read once from Django's settings."""

    store: str
    data_dir: Path
    weaviate_url: str
    weaviate_grpc_port: int
    weaviate_api_key: str
    embedding_model: str
    embedding_api_base: str
    embedding_api_key: str
    embedding_addresses: Mapping[str, str]  # of former hosted models
    embed_backend: Any  # the names are checked by knowledge.documents.checks
    embed_precision: Any
    embed_threads: int
    embed_weights_dir: str
    chunker: str  # checked by knowledge.documents.checks
    reranker: str  # the names are checked by knowledge.documents.checks
    rerank_model: str
    rerank_api_base: str
    rerank_api_key: str = field(repr=False)
    rerank_model_dir: str
    rerank_timeout: float
    ocr: bool
    ocr_max_pages: int
    limits: ParseLimits
    secret_key: str = field(repr=False)


def knowledge_settings() -> KnowledgeSettings:
    """Read the frozen settings from Django's."""
    return KnowledgeSettings(
        secret_key=settings.SECRET_KEY,
        store=settings.STORE,
        data_dir=Path(settings.DATA_DIR),
        weaviate_url=settings.WEAVIATE_URL,
        weaviate_grpc_port=settings.WEAVIATE_GRPC_PORT,
        weaviate_api_key=settings.WEAVIATE_API_KEY,
        embedding_model=settings.EMBEDDING_MODEL,
        embedding_api_base=settings.EMBEDDING_API_BASE,
        embedding_api_key=settings.EMBEDDING_API_KEY,
        embedding_addresses=settings.EMBEDDING_ADDRESSES,
        embed_backend=settings.EMBED_BACKEND,
        embed_precision=settings.EMBED_PRECISION,
        embed_threads=settings.EMBED_THREADS,
        embed_weights_dir=settings.EMBED_WEIGHTS_DIR,
        chunker=settings.CHUNKER,
        reranker=settings.RERANKER,
        rerank_model=settings.RERANK_MODEL,
        rerank_api_base=settings.RERANK_API_BASE,
        rerank_api_key=settings.RERANK_API_KEY,
        rerank_model_dir=settings.RERANK_MODEL_DIR,
        rerank_timeout=settings.RERANK_TIMEOUT,
        ocr=settings.OCR != "off",
        ocr_max_pages=settings.OCR_MAX_PAGES,
        limits=ParseLimits(
            upload_bytes=settings.MAX_UPLOAD_BYTES,
            pages=settings.MAX_PAGES,
            memory_bytes=settings.PARSER_MEMORY_BYTES,
            cpu_seconds=settings.PARSER_CPU_SECONDS,
        ),
    )


LOCAL = "local"
"""Names the embedding model that comes with the product."""

_lock = threading.RLock()
_built: dict[tuple[int, str], Any] = {}


def once(name: str, build: Callable[[], Any]) -> Any:
    """Return this process's part of that name, built on first use."""
    key = (os.getpid(), name)
    if key not in _built:
        with _lock:
            if key not in _built:
                _built[key] = build()
    return _built[key]


def reset() -> None:
    """Close and forget every plug-in of this process (tests, and a store that was replaced)."""
    with _lock:
        for (pid, _name), part in list(_built.items()):
            if pid == os.getpid() and hasattr(part, "close"):
                part.close()
        _built.clear()


def store() -> Store:
    """Return the vector store the settings choose."""
    return once("store", lambda: _build_store(knowledge_settings().store))  # type: ignore[no-any-return]


def store_named(name: str) -> Store:
    """Return a store whatever the settings choose, to move an index between two; one of its own in this process."""
    return once(f"store {name}", lambda: _build_store(name))  # type: ignore[no-any-return]


def _build_store(name: str) -> Store:
    config = knowledge_settings()
    if name == "weaviate":
        from knowledge.stores.weaviate import WeaviateStore

        return WeaviateStore(
            url=config.weaviate_url,
            secret=config.secret_key,
            grpc_port=config.weaviate_grpc_port,
            api_key=config.weaviate_api_key or None,
        )
    from knowledge.stores.lance import LanceStore

    return LanceStore(config.data_dir / "lance")


def embedder() -> Embedder:
    """Return the embedder the settings choose: the local model, or a hosted one through LiteLLM."""
    return once("embedder", _build_embedder)  # type: ignore[no-any-return]


def embedder_for(*, space: str, model: str, dimension: int, model_hash: str) -> Embedder:
    """Return the embedder of an index generation, whatever the settings choose for new ones.

    :raises EmbeddingFailed: the local model has other weights than it had.
    """
    config = knowledge_settings()
    if model_hash == "remote":
        found = embedder() if model == config.embedding_model else _former(model, dimension)
    else:
        found = once("local embedder", _build_local)
    if found.spec.space != space:
        raise EmbeddingFailed(f"The documents were built with the embedding model {model}, which is not here any more.")
    return found


def embedder_named(model: str) -> Embedder:
    """Return the embedder a new generation may choose: the one of the settings for "", the stock model for "local",
    or a hosted one that the settings name.

    :raises LookupError: they name no such model.
    """
    config = knowledge_settings()
    if model in ("", config.embedding_model):
        return embedder()
    if model == LOCAL:
        return once("local embedder", _build_local)  # type: ignore[no-any-return]
    if model in config.embedding_addresses:
        return _former(model, None)
    raise LookupError(f"The settings name no embedding model {model!r}; they name {', '.join(embedding_choices())}.")


def embedding_choices() -> list[str]:
    """Return the models that ``embedder_named`` knows, the one that the settings choose first."""
    config = knowledge_settings()
    return list(dict.fromkeys([config.embedding_model or LOCAL, LOCAL, *config.embedding_addresses]))


def _former(model: str, dimension: int | None) -> Embedder:
    """Return a hosted model that documents were indexed with before another one was chosen."""
    config = knowledge_settings()
    address, key = config.embedding_addresses.get(model, ""), ""
    if not address and not config.embedding_model:  # then address and key that are still set are this one's
        address, key = config.embedding_api_base, config.embedding_api_key
    return once(  # type: ignore[no-any-return]
        f"embedder {model} {dimension}", lambda: _build_hosted(model, address, key, dimension=dimension)
    )


def _build_embedder() -> Embedder:
    config = knowledge_settings()
    if config.embedding_model:
        return _build_hosted(config.embedding_model, config.embedding_api_base, config.embedding_api_key)
    return once("local embedder", _build_local)  # type: ignore[no-any-return]


def _build_hosted(model: str, api_base: str, api_key: str, *, dimension: int | None = None) -> Embedder:
    from knowledge.embedding.hosted import HostedEmbedder

    return HostedEmbedder(model=model, api_base=api_base or None, api_key=api_key or None, dimension=dimension)


def _build_local() -> Embedder:
    from knowledge.embedding.local import LocalEmbedder

    config = knowledge_settings()
    return LocalEmbedder(
        weights_dir=Path(config.embed_weights_dir) if config.embed_weights_dir else None,
        backend=config.embed_backend,
        precision=config.embed_precision,
        threads=config.embed_threads,
    )


def piece_table() -> PieceTable | None:
    """Return the vectors of word pieces in the stock embedding model, whichever model is set; None where it is not
    installed."""
    return once("piece_table", _build_piece_table)  # type: ignore[no-any-return]


def _build_piece_table() -> PieceTable | None:
    from knowledge.embedding import weights
    from knowledge.embedding.table import PieceTable

    folder = knowledge_settings().embed_weights_dir
    try:
        return PieceTable(weights.find_weights(Path(folder) if folder else None))
    except EmbeddingFailed as err:
        logger.info("no vectors of word pieces: %s", err.message)
        return None


def reranker(*, stored: Stored) -> Reranker:
    """Return who judges the best passages once more, by the settings; ``stored`` reads token vectors."""
    return once("reranker", lambda: _build_reranker(stored))  # type: ignore[no-any-return]


def reranker_name() -> str:
    """Return what RERANKER chooses, building no reranker; "auto" takes the strongest that is set up."""
    from knowledge.embedding.base import has_tokens

    config = knowledge_settings()
    if config.reranker != "auto":
        return config.reranker
    if config.rerank_model:
        return "hosted"
    if config.rerank_model_dir:
        return "cross_encoder"
    return "late" if has_tokens(embedder()) else "features"


def _build_reranker(stored: Stored) -> Reranker:
    return RERANKERS[reranker_name()](knowledge_settings(), stored)


def _no_reranker(config: KnowledgeSettings, stored: Stored) -> Reranker:
    from knowledge.reranking.none import NoReranker

    return NoReranker()


def _feature_reranker(config: KnowledgeSettings, stored: Stored) -> Reranker:
    from knowledge.reranking.features import FeatureReranker

    return FeatureReranker()


def _late_interaction(config: KnowledgeSettings, stored: Stored) -> Reranker:
    from knowledge.embedding.base import has_tokens
    from knowledge.reranking.late import LateInteraction

    found = embedder()
    if not has_tokens(found):
        raise ImproperlyConfigured("RERANKER=late needs an embedding model that hands out token vectors.")
    return LateInteraction(found, stored=stored)


def _cross_encoder(config: KnowledgeSettings, stored: Stored) -> Reranker:
    from knowledge.reranking.cross_encoder import CrossEncoder

    return CrossEncoder(Path(config.rerank_model_dir), timeout=config.rerank_timeout, threads=config.embed_threads)


def _hosted_reranker(config: KnowledgeSettings, stored: Stored) -> Reranker:
    from knowledge.reranking.hosted import HostedReranker

    return HostedReranker(
        config.rerank_model,
        config.rerank_api_base or None,
        config.rerank_api_key or None,
        timeout=config.rerank_timeout,
    )


RERANKERS: Mapping[str, Callable[[KnowledgeSettings, Stored], Reranker]] = {
    "none": _no_reranker,
    "features": _feature_reranker,
    "late": _late_interaction,
    "cross_encoder": _cross_encoder,
    "hosted": _hosted_reranker,
}
"""What RERANKER may say beside "auto"."""


def chunker(choice: str = "") -> Chunker:
    """Return the chunker of new index generations, or the one that an older generation was built with.

    One that is not there any more gives way to the one in use.
    """
    from knowledge.chunking.plugins import UnknownChunker, chunker_of

    try:
        return chunker_of(choice or knowledge_settings().chunker)
    except UnknownChunker as error:
        if not choice:
            raise ImproperlyConfigured(str(error)) from error
        return chunker_of(knowledge_settings().chunker)


def parser() -> DocumentReader:
    """Return this process's reader of documents, with its child processes."""
    return once("parser", _build_parser)  # type: ignore[no-any-return]


def _build_parser() -> DocumentReader:
    from knowledge.parsing.ocr import available
    from knowledge.parsing.reading import DocumentReader

    config = knowledge_settings()
    return DocumentReader(recognition=config.ocr and available(), max_pages=config.ocr_max_pages)
