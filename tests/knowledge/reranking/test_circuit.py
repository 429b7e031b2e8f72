from __future__ import annotations

import pytest

from knowledge.reranking.circuit import Circuit


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def circuit(now: list[float]) -> Circuit:
    return Circuit(limit=3, rest=30.0, clock=lambda: now[0])


def test_two_failures_change_nothing(circuit: Circuit) -> None:
    circuit.failed()
    circuit.failed()
    assert circuit.wait() == 0.0


def test_third_failure_in_a_row_opens_it(circuit: Circuit, now: list[float]) -> None:
    for _ in range(3):
        circuit.failed()
    assert circuit.wait() == 30.0
    now[0] += 29.0
    assert circuit.wait() == 1.0


def test_only_one_call_tries_again(circuit: Circuit, now: list[float]) -> None:
    for _ in range(3):
        circuit.failed()
    now[0] += 30.0
    assert circuit.wait() == 0.0
    assert circuit.wait() == 30.0


def test_success_of_that_call_lets_everybody_in(circuit: Circuit, now: list[float]) -> None:
    for _ in range(3):
        circuit.failed()
    now[0] += 30.0
    circuit.wait()
    circuit.succeeded()
    assert [circuit.wait() for _ in range(3)] == [0.0] * 3
    circuit.failed()
    assert circuit.wait() == 0.0


def test_failure_of_that_call_opens_it_again(circuit: Circuit, now: list[float]) -> None:
    for _ in range(3):
        circuit.failed()
    now[0] += 31.0
    circuit.wait()
    now[0] += 5.0
    circuit.failed()
    assert circuit.wait() == 30.0
