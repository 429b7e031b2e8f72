"""Requests to addresses that people typed in: one function, which never reaches what they may not."""

from knowledge.egress.addresses import Target, parse_address
from knowledge.egress.fetching import FetchLimits, Reply, fetch
from knowledge.egress.inflating import inflated
from knowledge.egress.resolving import resolve_target
from knowledge.egress.rules import BadAllowEntry, Rules

__all__ = [
    "BadAllowEntry",
    "FetchLimits",
    "Reply",
    "Rules",
    "Target",
    "fetch",
    "inflated",
    "parse_address",
    "resolve_target",
]
