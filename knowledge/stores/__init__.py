"""Vector stores: a Protocol (``base``) and one file per engine."""

from __future__ import annotations

from knowledge.stores.base import Store

__all__ = ["Store"]
