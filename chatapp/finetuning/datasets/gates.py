"""What so many verified rows are good for, said plainly. The numbers of the reference (§2.5), not promises."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GATES", "Gate", "gate_of"]


@dataclass(frozen=True, slots=True)
class Gate:
    """From how many approved rows for training on, and what that allows to hope for."""

    rows: int
    name: str
    words: str


GATES = (
    Gate(0, "Style only, experimental", "Fewer than 50 rows: a model learns a tone or a form at best. Do not expect "
         "better answers, and compare it with a good prompt first."),
    Gate(50, "A first effect", "50 rows or more: where providers report first improvements of style and format. "
         "Whether yours is one, only an evaluation on held-out rows says."),
    Gate(200, "Citation format", "200 rows or more: enough for a model to learn to put the labels where they belong "
         "and to refuse when nothing answers."),
    Gate(500, "Answers over passages", "500 rows or more: telling passages that answer from those that do not can be "
         "learnt. For the whole of it 1,000 or more are better."),
)  # fmt: skip


def gate_of(rows: int) -> Gate:
    """Return the highest gate that a number of approved training rows reaches."""
    return next(gate for gate in reversed(GATES) if rows >= gate.rows)


def next_gate(rows: int) -> Gate | None:
    """Return the gate after that; None above the last."""
    return next((gate for gate in GATES if rows < gate.rows), None)
