"""Prints what became of every hostile file: ``.venv/bin/python tests/support/hostile_table.py [WORDS OF NAMES]``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hostile import Case, cases, describe
from hostile_run import LIMITS, Result, run

from knowledge.parsing import ChildParser


def line(case: Case, result: Result) -> str:
    peak = "?" if result.peak is None else f"{result.peak / (1 << 20):,.0f}"
    size = f"{result.size / 1024:,.1f} KB" if result.size < 1 << 20 else f"{result.size / (1 << 20):,.1f} MB"
    outcome = describe(result.outcome).replace("|", r"\|").replace("\n", " ")
    return f"| {case.title} | {size} | {outcome} | {result.seconds:.2f} | {peak} |"


def main(words: list[str]) -> int:
    """Print the table; return 1 when a file did not end as it must."""
    wrong = []
    memory = LIMITS.memory_bytes // (1 << 20)
    print(f"Limits: {memory:,} MB, {LIMITS.cpu_seconds} s of processor time.\n")
    print("| file | size | outcome | seconds | peak memory, MB |\n|---|---|---|---|---|")
    for case in cases():
        if not words or any(word in case.title for word in words):
            with ChildParser() as parser:  # each its own: a process remembers only the most it ever had
                result = run(case, parser)
            print(line(case, result), flush=True)
            wrong += [f"{case.title}: {unmet}" for unmet in case.unmet(result.outcome)]
    print("\n".join(["", *wrong]), file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
