"""Vectors that were made before of the very same text, by the same model, for the same tenant.

There is no cache to keep, to limit or to empty: they are read from what the index and the token files of other
versions, generations and bases hold, and go when those go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import Exists, OuterRef

from knowledge import wiring
from knowledge.documents.indexes import token_files
from knowledge.documents.models import Chunk, DocumentVersion, IndexEntry, IndexGeneration
from knowledge.ingestion.stages import Made, Wanted
from knowledge.types import Hit, Scope

__all__ = ["Earlier"]


MOST_TWINS = 20
"""Passages of the same text that are read for each that is looked for: one of them is enough."""


class Earlier:
    """Satisfies ``knowledge.ingestion.stages.Reuse`` for a version that is taken into a generation."""

    def __init__(
        self, version: DocumentVersion, generation: IndexGeneration, *, digests: dict[int, str], with_tokens: bool
    ) -> None:
        """``digests`` are those of the version's chunks, by ordinal."""
        self._version, self._generation = version, generation
        self._digests, self._with_tokens = digests, with_tokens
        self.reused = 0
        """Chunks that needed no embedding so far."""

    def __call__(self, chunks: Sequence[Wanted]) -> list[Made | None]:
        rows = self._rows({self._digests[chunk.ordinal] for chunk in chunks})
        hits = self._records(rows.values())
        tokens = self._tokens([row for row in rows.values() if str(row.pk) in hits])
        made = [self._made(chunk, rows.get(self._digests[chunk.ordinal]), hits, tokens) for chunk in chunks]
        self.reused += sum(each is not None for each in made)
        return made

    def _rows(self, digests: set[str]) -> dict[str, Chunk]:
        """Return a chunk for each digest of which a whole version is in an index, whichever document it is of."""
        whole = IndexEntry.objects.filter(generation=OuterRef("generation"), version=OuterRef("version"))
        rows = (
            Chunk.objects.filter(digest__in=digests, generation__space=self._generation.space)
            .filter(Exists(whole), version__document__tenant=self._version.document.tenant_id)
            .exclude(version=self._version, generation=self._generation)  # which is being written anew
            .select_related("generation", "version__document")
        )[: MOST_TWINS * len(digests)]
        return {row.digest: row for row in rows}

    def _records(self, rows: Iterable[Chunk]) -> dict[str, Hit]:
        found = list(rows)
        bases = {str(row.version.document.knowledge_base_id) for row in found}
        scope = Scope(tenant=str(self._version.document.tenant_id), knowledge_bases=frozenset(bases))
        keys = [str(row.pk) for row in found]
        return {hit.key: hit for hit in wiring.store().fetch(keys, space=self._generation.space, scope=scope)}

    def _tokens(self, rows: Iterable[Chunk]) -> dict[UUID, bytes]:
        if not self._with_tokens:
            return {}
        wanted: dict[tuple[UUID, UUID], list[Chunk]] = {}
        for row in rows:
            wanted.setdefault((row.version_id, row.generation_id), []).append(row)
        found: dict[UUID, bytes] = {}
        for same in wanted.values():
            packed = token_files.packed(same[0].version, same[0].generation, [row.ordinal for row in same])
            found |= {row.pk: packed[row.ordinal] for row in same if row.ordinal in packed}
        return found

    def _made(
        self, chunk: Wanted, row: Chunk | None, hits: dict[str, Hit], tokens: dict[UUID, bytes]
    ) -> Made | None:  # fmt: skip
        hit = hits.get(str(row.pk)) if row is not None else None
        if row is None or hit is None or hit.vector is None or (self._with_tokens and row.pk not in tokens):
            return None
        # A record that is being written anew may still be of another text.
        if (hit.text, hit.terms) != (chunk.text, chunk.terms):
            return None
        return Made(vector=hit.vector, tokens=tokens.get(row.pk))
