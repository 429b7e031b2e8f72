"""Measures the whole product from outside, over its public contract."""

from __future__ import annotations

__all__ = ["client", "first_token", "ingest", "memory", "product", "quality", "report"]
