"""Measures the whole product from outside, over its public contract, and its parsers by themselves."""

from __future__ import annotations

__all__ = ["client", "first_token", "ingest", "memory", "parsing", "product", "quality", "report", "retrieval"]
