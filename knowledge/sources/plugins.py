"""Sources by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from knowledge.errors import SourceMisconfigured
from knowledge.sources.base import Option, Source, SourceContext
from knowledge.sources.feed import FeedSource
from knowledge.sources.folder import FolderSource
from knowledge.sources.git import GitSource
from knowledge.sources.s3 import S3Source
from knowledge.sources.values import Values, values_of
from knowledge.sources.website import WebsiteSource

__all__ = ["SOURCES", "SourceKind", "source_of"]


class SourceKind(Protocol):
    """The class of a plug-in: what a form needs to know before there are settings."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def options(self) -> tuple[Option, ...]: ...

    def __call__(self, values: Values, *, context: SourceContext) -> Source: ...


SOURCES: Mapping[str, SourceKind] = {
    kind.name: kind for kind in (FolderSource, WebsiteSource, GitSource, S3Source, FeedSource)
}


def source_of(kind: str, options: Mapping[str, Any], *, secrets: Mapping[str, str], context: SourceContext) -> Source:
    """Build a source from its settings; nothing is reached for yet.

    :raises SourceMisconfigured: there is no such kind, or a setting is missing, unknown or not allowed.
    """
    plugin = SOURCES.get(kind)
    if plugin is None:
        raise SourceMisconfigured(f"There is no source {kind[:60]!r}; there are {', '.join(SOURCES)}.")
    return plugin(values_of(plugin.options, options, secrets=secrets), context=context)
