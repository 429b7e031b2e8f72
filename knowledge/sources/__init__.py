"""Places that documents come from again and again: a Protocol (``base``), one file each, a registry (``plugins``)."""

from knowledge.sources.base import Fetched, Item, Option, Problem, Source, SourceContext, SourceLimits

__all__ = ["Fetched", "Item", "Option", "Problem", "Source", "SourceContext", "SourceLimits"]
