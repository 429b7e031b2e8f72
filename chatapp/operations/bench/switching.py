"""Another index generation is built, switched to and left again while questions are asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chatapp.operations.bench import corpus
from chatapp.operations.bench.asking import Asker, right, sure_of
from chatapp.operations.bench.client import Client, Unexpected

SURE = 60
AFTER = 50
"""Questions asked after each switch at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """What was measured, in seconds; ``wrong`` are answers to questions that both indexes answer rightly."""

    chunks: int
    documents: int
    build_seconds: float
    switch_seconds: float  # of the request that switches
    back_seconds: float  # of the request that goes back
    questions: int
    unknown: int  # questions that the other index alone does not answer rightly: its model's doing, not the switch's
    wrong: int
    empty: int
    failed: int


def measure(
    client: Client, *, documents: int, say: Callable[[str], None], embedding: str = "", chunker: str = ""
) -> Switching:
    """Build a generation of a base of so many documents of five passages, switch to it, and go back.

    :raises Unexpected: it was not built within an hour.
    """
    base = client.knowledge_base("switching")
    say(f"Ingesting {documents} documents ...")
    rows = client.ingest(base, corpus.documents(documents), limit=3_600)
    sections = range(documents * corpus.SECTIONS)
    sure = sure_of(client, base, sections[:: max(1, len(sections) // SURE)])
    [before] = _generations(client, base)
    say("Building another generation under questions ...")
    with Asker(client, base, sure) as asker:
        began = time.monotonic()
        wanted = {"embedding": embedding, "chunker": chunker}
        made = client.call("POST", f"/knowledge-bases/{base}/generations", wanted)["id"]
        while _state(client, base, made) != "ready":
            if time.monotonic() - began > 3_600:
                raise Unexpected("The other generation was not built within an hour.")
            time.sleep(0.5)
        built = time.monotonic() - began
        switched = _switch(client, made)
        asker.wait_for(AFTER, seconds=120)
        both = set(sure_of(client, base, sure))
        back = _switch(client, before["id"])
        asker.wait_for(AFTER, seconds=120)
    wrong = [each for each in asker.asked if each.number in both and not right(each)]
    for each in wrong[:3]:
        say(f"Wrong: section {each.number}, {each.began - began:.1f} s after the build began: {each.content[:300]}")
    return Switching(
        chunks=sum(row["chunks"] for row in rows), documents=documents, build_seconds=round(built, 1),
        switch_seconds=round(switched, 3), back_seconds=round(back, 3), questions=len(asker.asked),
        unknown=len(sure) - len(both), wrong=len(wrong), empty=sum(each.empty for each in asker.asked),
        failed=len(asker.failed),
    )  # fmt: skip


def _generations(client: Client, base: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.call("GET", f"/knowledge-bases/{base}/generations")["items"]
    return found


def _state(client: Client, base: str, generation: str) -> str:
    [row] = [row for row in _generations(client, base) if row["id"] == generation]
    return str(row["state"])


def _switch(client: Client, generation: str) -> float:
    began = time.monotonic()
    if not client.call("POST", f"/generations/{generation}/switch")["live"]:
        raise Unexpected("The generation was whole, and yet it did not become the live one.")
    return time.monotonic() - began


def lines(found: Switching) -> list[str]:
    """Return the figures for people."""
    return [
        f"Switching: another index of {found.chunks} passages built in {found.build_seconds} s",
        f"  switched to in {found.switch_seconds} s, left again in {found.back_seconds} s",
        f"  of {found.questions} answers wrong {found.wrong}, without a source {found.empty}, failed {found.failed}",
        f"  questions that the other index alone does not answer, and which are not counted: {found.unknown}",
    ]
