"""all-MiniLM-L6-v2 on the processor, without torch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from knowledge.embedding import runtimes, weights
from knowledge.embedding.base import TokenStates
from knowledge.embedding.graph import TOKENIZER_FILE
from knowledge.embedding.tokens import WordPieces, batches
from knowledge.embedding.vectors import QueryCache, unit_rows
from knowledge.errors import EmbeddingFailed
from knowledge.types import EmbeddingSpec, Vector

logger = logging.getLogger(__name__)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as exc:  # the boundary to an engine that raises types of its own
        raise EmbeddingFailed() from exc


_WARM_UP_LENGTHS = (16, 32, 48)  # tokens of short, usual and long questions


class LocalEmbedder:
    """Runs the committed graph over the weights of the installed package (or of ``weights_dir``).

    Everything is loaded on first use, so a process that forks afterwards never shares a thread pool.
    ``precision`` "fast" allows bfloat16 where the processor has matrix instructions for it.
    """

    def __init__(
        self,
        weights_dir: Path | None = None,
        backend: runtimes.Backend = "auto",
        precision: runtimes.Precision = "exact",
        threads: int = 1,
    ) -> None:
        self._weights_dir = weights_dir
        self._engine, self._arithmetic = runtimes.choose(backend, precision)
        self._threads = max(1, threads)
        self._lock = threading.Lock()
        self._runtime: runtimes.Runtime | None = None
        self._pieces: WordPieces | None = None
        self._queries: QueryCache[tuple[Vector, TokenStates]] = QueryCache()

    @property
    def spec(self) -> EmbeddingSpec:
        """Taken from the manifest when the weights' size fits it; their hash is compared at load."""
        weights.find_weights(self._weights_dir)
        about = weights.manifest()
        return EmbeddingSpec(
            model=about.model,
            dimension=about.dimension,
            model_hash=about.sha256,
            precision=self._arithmetic,
            max_tokens=about.max_tokens,
        )

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        """Return ``(len(texts), 384)`` float32, rows L2-normalised; text beyond 256 tokens is not seen."""
        runtime = self._load()
        dimension = weights.manifest().dimension
        vectors = np.zeros((len(texts), dimension), dtype=np.float32)
        sequences = self._load_pieces().encode(texts)
        for batch in batches(sequences, budget=runtime.budget, multiple=runtime.multiple):
            with _translated():
                vectors[batch.rows] = runtime.run(batch.ids, batch.mask)
        return unit_rows(vectors, rows=len(texts), dimension=dimension)

    def embed_with_tokens(self, texts: Sequence[str]) -> tuple[Vector, list[TokenStates]]:
        """Return the vectors and, of each text, the hidden states they are the mean of."""
        runtime = self._load()
        dimension = weights.manifest().dimension
        vectors = np.zeros((len(texts), dimension), dtype=np.float32)
        encoded = self._load_pieces().encode_with_spans(texts)
        found: dict[int, TokenStates] = {}
        for batch in batches([ids for ids, _ in encoded], budget=runtime.budget, multiple=runtime.multiple):
            with _translated():
                vectors[batch.rows], tokens = runtime.run_with_tokens(batch.ids, batch.mask)
            for place, row in enumerate(batch.rows.tolist()):
                spans = np.asarray(encoded[row][1], dtype=np.int32).reshape(-1, 2)
                found[row] = TokenStates(spans=spans[1:-1], states=tokens[place, 1 : len(spans) - 1].copy())
        vectors = unit_rows(vectors, rows=len(texts), dimension=dimension)
        return vectors, [found[row] for row in range(len(texts))]

    def embed_query(self, text: str) -> Vector:
        """Return ``(384,)`` float32, L2-normalised and read-only; the last 256 queries are remembered."""
        return self._queries.get(text, self._query)[0]

    def query_tokens(self, text: str) -> TokenStates:
        """Return the hidden states of a query's word pieces; made and remembered with its vector."""
        return self._queries.get(text, self._query)[1]

    def _query(self, text: str) -> tuple[Vector, TokenStates]:
        vectors, tokens = self.embed_with_tokens([text])
        vectors.flags.writeable = False
        return vectors[0], tokens[0]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Word pieces of each text without special tokens; loads the tokenizer only."""
        return self._load_pieces().count(texts)

    def warm_up(self) -> None:
        """Load everything and run a few query lengths, for a process that is about to serve."""
        runtime = self._load()
        self._load_pieces()
        for length in _WARM_UP_LENGTHS:
            ids = np.full((1, length), 100, dtype=np.int64)
            runtime.run(ids, np.ones_like(ids))

    def _load(self) -> runtimes.Runtime:
        if self._runtime is None:
            with self._lock:
                if self._runtime is None:
                    self._runtime = self._start()
        return self._runtime

    def _start(self) -> runtimes.Runtime:
        started = time.monotonic()
        folder = weights.find_weights(self._weights_dir)
        weights.verify(folder)
        try:
            runtime = runtimes.load(self._engine, self._arithmetic, weights.GRAPH_FILE, folder, self._threads)
        except ImportError as err:
            raise EmbeddingFailed(f"The package {self._engine} is not installed.") from err
        logger.info(
            "embedding model loaded: %s, %s, %d threads, %.2f s",
            self._engine,
            self._arithmetic,
            self._threads,
            time.monotonic() - started,
        )
        return runtime

    def _load_pieces(self) -> WordPieces:
        if self._pieces is None:
            with self._lock:
                if self._pieces is None:
                    folder = weights.find_weights(self._weights_dir)
                    self._pieces = WordPieces(folder / TOKENIZER_FILE, weights.manifest().max_tokens)
        return self._pieces
