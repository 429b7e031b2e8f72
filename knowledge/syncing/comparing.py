"""Walk through what a source lists, and treat each difference from what is stored of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable

from celery.exceptions import SoftTimeLimitExceeded

from knowledge.documents.jobs import Heartbeat, LeaseLost
from knowledge.errors import KnowledgeError
from knowledge.sources.base import LONGEST_KEY, Fetched, Item, Problem, Source
from knowledge.syncing.items import BaseGone, Known, Treatment, short
from knowledge.syncing.tally import Tally

logger = logging.getLogger(__name__)

UNREADABLE = "Something went wrong while this was read. The next run tries again."
ODD_KEY = f"Its name is not valid text, or longer than {LONGEST_KEY:,} characters. Rename it."
MANY = 10
"""Documents that may be withdrawn whatever their share."""


class Comparison:
    """One pass over a source."""

    def __init__(
        self, plugin: Source, known: dict[str, Known], treat: Treatment, tally: Tally, heartbeat: Heartbeat
    ) -> None:  # fmt: skip
        self._plugin, self._known, self._treat, self._tally = plugin, known, treat, tally
        self._heartbeat = heartbeat
        self._seen: set[str] = set()

    def run(self) -> None:
        """List the source; store what is new or changed.

        :raises LeaseLost: the run is no longer ours, or was cancelled.
        """
        self._tally.expect(len(self._known))
        stored = {known.key: known.fingerprint for known in self._known.values() if known.sha256}
        for found in self._plugin.items(stored):
            self._heartbeat.check()
            self._tally.save_now_and_then()
            if isinstance(found, Problem):
                self._seen.add(found.key)
                known = self._known.get(found.key)
                self._tally.failed(found.key, found.message, document=known.document if known else None)
            else:
                self._take(found)
        back = [known for key, known in self._known.items() if known.missing_since and key in self._seen]
        self._treat.returned(back)

    def missing(self) -> list[Known]:
        """Return what the source had and has no more; nothing when its listing was not whole."""
        if not self._plugin.complete:
            return []
        return [known for key, known in self._known.items() if key not in self._seen]

    def withdraw(self, missing: Iterable[Known]) -> None:
        for known in missing:
            self._heartbeat.check()
            self._treat.withdraw(known)

    def _take(self, item: Item) -> None:
        self._tally.count("listed")
        if item.key in self._seen:
            self._tally.count("skipped")
            return
        self._seen.add(item.key)
        if not _can_be_stored(item.key):
            self._tally.failed(item.key.encode(errors="replace").decode().replace("\0", "?"), ODD_KEY)
            return
        known = self._known.get(item.key)
        fingerprint = short(item.fingerprint)
        if known and known.sha256 and not known.error and fingerprint and fingerprint == known.fingerprint:
            self._treat.same(known, fingerprint=fingerprint)
        elif (known is None or not known.sha256) and not self._treat.reads_new:
            self._treat.announce(item)
        else:
            self._read(item, known)

    def _read(self, item: Item, known: Known | None) -> None:
        try:
            fetched = self._plugin.fetch(item)
            self._heartbeat.check()
            self._compare(item, fetched, known)
        except (LeaseLost, BaseGone, SoftTimeLimitExceeded):
            raise
        except KnowledgeError as error:
            self._treat.failed(item.key, error.message, known=known)
        except Exception:  # boundary of the item: the others of the source are read all the same
            logger.exception("An item of source %s could not be read", self._plugin.name)
            self._treat.failed(item.key, UNREADABLE, known=known)

    def _compare(self, item: Item, fetched: Fetched, known: Known | None) -> None:
        """Store the bytes that were read unless they are those there are."""
        fingerprint = short(fetched.item.fingerprint)
        if fetched.data is None:
            if known is None or not known.sha256:
                self._treat.failed(item.key, UNREADABLE, known=known)
            else:
                self._treat.same(known, fingerprint=fingerprint or known.fingerprint)
            return
        sha256 = hashlib.sha256(fetched.data).hexdigest()
        if known is not None and known.sha256 == sha256:
            self._treat.same(known, fingerprint=fingerprint)
        else:
            self._treat.store(fetched, sha256=sha256, known=known)


def too_many(missing: Iterable[Known], known: Iterable[Known]) -> int:
    """Return how many documents would be withdrawn when that is more than anybody would expect; else 0."""
    gone = sum(one.document is not None for one in missing)
    there = sum(one.document is not None for one in known)
    return gone if gone > MANY and gone * 2 > there else 0


def _can_be_stored(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(key) <= LONGEST_KEY and "\0" not in key
