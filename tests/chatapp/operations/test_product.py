"""Which processes there are, and who takes from which queue."""

from __future__ import annotations

import pytest

from chatapp.operations import product


def queues_of(role: str) -> set[str]:
    command = product.command(role)
    return set(command[command.index("-Q") + 1].split(","))


def test_where_models_are_trained_documents_never_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product.extra, "installed", lambda: True)
    assert queues_of("trainer") == {"training"}
    assert queues_of("worker") == {"ingest", "maintenance", "evaluation"}
    assert "trainer" in product.roles()
    command = product.command("trainer")
    assert command[command.index("--concurrency") + 1] == "1"


def test_without_the_extra_every_queue_is_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product.extra, "installed", lambda: False)
    assert queues_of("worker") == {"ingest", "maintenance", "evaluation", "training"}
    assert "trainer" not in product.roles()
