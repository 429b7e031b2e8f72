"""The process that looks after model servers: starts what is wanted, loads versions, says how each is, ends the rest.

The rows are the truth. One ``look`` brings the world nearer to them and notes what it found; it may be repeated at
any time, and by another process after this one was killed: its servers end with it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from chatapp.finetuning.registry.models import ModelVersion
from chatapp.finetuning.registry.standing import is_stopped
from chatapp.finetuning.serving.client import Client
from chatapp.finetuning.serving.entries import offer_base, offer_version, withdraw
from chatapp.finetuning.serving.errors import ServerSilent
from chatapp.finetuning.serving.models import ModelServer
from chatapp.finetuning.serving.naming import base_name, is_adapter, version_name
from chatapp.finetuning.serving.process import Process

__all__ = ["Host"]

logger = logging.getLogger(__name__)

State = ModelServer.State
LONGEST_BACK_OFF = 60.0
HEALTHY_SECONDS = 120.0
AGAIN_SECONDS = 60.0
START_SECONDS = 600.0
PATIENCE = 3
"""Looks without an answer before a process of ours that still runs is ended: on a busy machine one may be slow."""

NO_FULL = "vLLM serves whole weights only when it is started with them."


@dataclass(slots=True)
class _Keeper:
    """What this process knows of one server."""

    process: Process | None = None
    crashes: int = 0
    start_again: float = 0.0
    silent: int = 0  # looks in a row that it did not answer
    offered: str = ""  # the address and token under which entries were written
    refused: dict[UUID, tuple[float, str]] = field(default_factory=dict)  # when to try again, and why not now


class Host:
    """Belongs to one thread."""

    def __init__(self) -> None:
        self._keepers: dict[UUID, _Keeper] = {}

    def look(self) -> None:
        """Look at every server once."""
        rows = {row.pk: row for row in ModelServer.objects.select_related("base", "language_model")}
        for pk in [pk for pk in self._keepers if pk not in rows]:
            self._end(self._keepers.pop(pk))
        for row in rows.values():
            keeper = self._keepers.setdefault(row.pk, _Keeper())
            try:
                self._tend(row, keeper)
                keeper.silent = 0
            except ServerSilent as error:
                keeper.silent += 1
                if keeper.process is None or keeper.process.ended or keeper.silent >= PATIENCE:
                    self._lost(row, keeper, error.message)
            except OSError as error:
                logger.warning("Server %s: %s", row.pk, error)
                self._lost(row, keeper, f"It could not be started: {error.strerror}.")

    def close(self) -> None:
        """End every process, and say so."""
        for row in ModelServer.objects.filter(kind=ModelServer.Kind.OWN).select_related("base", "language_model"):
            keeper = self._keepers.get(row.pk)
            if keeper is not None and keeper.process is not None:
                self._end(keeper)
                self._stopped(row)
        self._keepers.clear()

    def _tend(self, row: ModelServer, keeper: _Keeper) -> None:
        if not row.wanted:
            if keeper.process is not None or row.state != State.STOPPED:
                self._end(keeper)
                keeper.crashes, keeper.start_again = 0, 0.0
                self._stopped(row)
            return
        client = self._own(row, keeper) if row.kind == ModelServer.Kind.OWN else self._vllm(row)
        if client is not None:
            self._serve(row, keeper, client)

    def _own(self, row: ModelServer, keeper: _Keeper) -> Client | None:
        """Return how to reach our own server once it has loaded; start it, or again, where that is due."""
        now = time.monotonic()
        if keeper.process is None:
            if now >= keeper.start_again:
                keeper.process, keeper.offered = Process.start(row), ""
                keeper.refused.clear()
                _note(row, state=State.STARTING, detail="", pid=keeper.process.popen.pid, loaded=[])
            return None
        if keeper.process.ended:
            self._crashed(row, keeper, now)
            return None
        client = keeper.process.client
        if client is None:
            if now - keeper.process.started > START_SECONDS:
                raise ServerSilent("It did not finish loading.")
            return None
        if not client.healthy():
            raise ServerSilent
        return client

    def _crashed(self, row: ModelServer, keeper: _Keeper, now: float) -> None:
        """Plan the next start: 1, 2, 4 ... 60 seconds later."""
        assert keeper.process is not None
        words = keeper.process.last_words() or f"exit code {keeper.process.popen.returncode}"
        lived = now - keeper.process.started
        keeper.crashes = 1 if lived > HEALTHY_SECONDS else keeper.crashes + 1
        pause = min(2.0 ** (keeper.crashes - 1), LONGEST_BACK_OFF)
        self._end(keeper)
        keeper.start_again = now + pause
        logger.warning("Server %s ended: %s", row.pk, words)
        self._stopped(row, state=State.FAILED, detail=f"It ended ({words}); it is started again in {pause:.0f} s.")

    def _vllm(self, row: ModelServer) -> Client:
        client = Client(row.address, settings.VLLM_API_KEY)
        name = base_name(row.base)
        if name not in client.models():
            raise ServerSilent(f"It does not serve {name}. Start it with the command on this page.")
        return client

    def _serve(self, row: ModelServer, keeper: _Keeper, client: Client) -> None:
        """Have it serve the base and every version that may answer, and their entries say so."""
        row.address = client.address
        there = set(client.models())
        wanted = {version_name(each): each for each in _versions(row)}
        for name in there - set(wanted) - {base_name(row.base)}:
            if row.kind == ModelServer.Kind.OWN or _is_ours(row, name):
                client.unload(name)
        for name, version in wanted.items():
            if name not in there:
                self._load(row, keeper, client, name, version)
        loaded = [version for name, version in wanted.items() if name in there or version.pk in _now_loaded(keeper)]
        self._offer(row, keeper, client, loaded)
        refusals = [words for _, words in keeper.refused.values() if words]
        _note(
            row, state=State.READY, address=client.address, detail=" ".join(refusals), seen=timezone.now(),
            loaded=[str(each.pk) for each in loaded], load=self._load_of(row, client),
            pid=keeper.process.popen.pid if keeper.process else None,
        )  # fmt: skip

    def _load(self, row: ModelServer, keeper: _Keeper, client: Client, name: str, version: ModelVersion) -> None:
        again, _ = keeper.refused.get(version.pk, (0.0, ""))
        if time.monotonic() < again:
            return
        own = row.kind == ModelServer.Kind.OWN
        try:
            if is_adapter(version):
                client.load_adapter(name=name, path=version.path, digest=version.digest if own else "")
            elif own:
                client.load_model(name=name, path=version.path, digest=version.digest)
            else:
                raise ServerSilent(NO_FULL)
            keeper.refused[version.pk] = (0.0, "")
        except ServerSilent as error:
            words = f"“{version.fine_tuned_model.name}” version {version.number}: {error.message}"
            keeper.refused[version.pk] = (time.monotonic() + AGAIN_SECONDS, words)
            logger.warning("Server %s refuses a version: %s", row.pk, error.message)

    def _offer(self, row: ModelServer, keeper: _Keeper, client: Client, loaded: list[ModelVersion]) -> None:
        """Write entries where something changed since they were written last."""
        address = f"{client.address} {hash(client.token)}"
        fresh = keeper.offered != address
        if fresh or row.language_model is None or not row.language_model.api_base:
            offer_base(row, token=client.token)
        for version in loaded:
            entry = version.language_model
            if fresh or entry is None or not entry.api_base:
                offer_version(version, row, token=client.token)
        withdraw(row, keep=[version.pk for version in loaded], base=False)
        keeper.offered = address

    def _load_of(self, row: ModelServer, client: Client) -> dict[str, Any]:
        return client.load() if row.kind == ModelServer.Kind.OWN else dict(client.metrics())

    def _lost(self, row: ModelServer, keeper: _Keeper, words: str) -> None:
        """It is there and does not do what it should: our own is started anew."""
        self._end(keeper)
        keeper.crashes += 1
        keeper.start_again = time.monotonic() + min(2.0 ** (keeper.crashes - 1), LONGEST_BACK_OFF)
        self._stopped(row, state=State.FAILED, detail=words)

    def _end(self, keeper: _Keeper) -> None:
        if keeper.process is not None:
            keeper.process.stop()
        keeper.process, keeper.offered = None, ""

    def _stopped(self, row: ModelServer, *, state: str = State.STOPPED, detail: str = "") -> None:
        withdraw(row, base=True)
        _note(row, state=state, detail=detail, pid=None, loaded=[], load={})


def _versions(row: ModelServer) -> list[ModelVersion]:
    """Return the versions on a server's base that may answer."""
    rows = ModelVersion.objects.filter(base=row.base_id).exclude(state=ModelVersion.State.RETIRED).exclude(path="")
    found = rows.select_related("fine_tuned_model", "language_model").order_by("created")
    return [version for version in found if not is_stopped(version)]


def _is_ours(row: ModelServer, name: str) -> bool:
    """Whether a model on somebody else's server is one of our versions that should not be there any more."""
    rows = ModelVersion.objects.filter(base=row.base_id).select_related("fine_tuned_model")
    return any(version_name(each) == name for each in rows)


def _now_loaded(keeper: _Keeper) -> set[UUID]:
    return {pk for pk, (_, words) in keeper.refused.items() if not words}


def _note(row: ModelServer, **changed: Any) -> None:
    """Write what differs; ``wanted`` is not ours to write."""
    differing = {name: value for name, value in changed.items() if getattr(row, name) != value}
    if differing:
        ModelServer.objects.filter(pk=row.pk).update(**differing)
        for name, value in differing.items():
            setattr(row, name, value)
