"""Documents made up for measuring: every section holds facts that no other section holds."""

from __future__ import annotations

import random
from dataclasses import dataclass

from chatapp.operations.bench.client import Upload

SECTIONS = 5
"""Sections of a document; each is long enough to become one passage."""

_FIRST = "Amber Birch Cedar Dune Elder Fern Garnet Hazel Iris Juniper Kestrel Larch Maple Nettle Osprey Pine".split()
_SECOND = "Bay Bridge Cape Cliff Ford Gate Harbour Hill Island Lock Mill Point Quay Reach Sound Yard".split()
_PARTS = "pump valve crane lantern winch buoy ladder siren mast boiler rudder hatch anchor beacon gauge hoist".split()
_HABITS = (
    "The {part} is checked by the {crew} crew before {hour}:00, and the result goes into the log of the station.",
    "Visitors who ask for the {part} are shown to the office, where a member of the {crew} crew explains it.",
    "When the weather turns, the {part} is secured with {number} metres of rope and the gate is closed.",
    "A spare {part} lies in shed {number}; the key hangs behind the door of the {crew} crew.",
    "Every {hour} weeks the {part} is cleaned with fresh water and left to dry in the open.",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A question and the words that answer it."""

    question: str
    answer: str


def station(number: int) -> str:
    """Return the name of a section's subject, different for every number below 65,536."""
    name = f"{_FIRST[number % 16]} {_SECOND[number // 16 % 16]}"
    return f"{name} {number // 256 + 1}" if number >= 256 else name


def fact(number: int) -> Fact:
    """Return what only the section of that number says."""
    name = station(number)
    return Fact(f"How high is the mooring fee at {name}?", f"The mooring fee at {name} is {1000 + 7 * number} crowns")


def section(number: int) -> str:
    """Return a section of about 900 characters."""
    random_ = random.Random(number)  # noqa: S311 - the same text every time is the point
    lines = [f"{fact(number).answer} for each night."]
    while sum(map(len, lines)) < 780:
        lines.append(
            random_.choice(_HABITS).format(
                part=random_.choice(_PARTS), crew=random_.choice(_FIRST), hour=random_.randint(2, 11),
                number=random_.randint(12, 98),
            )
        )  # fmt: skip
    return f"## {station(number)}\n\n{' '.join(lines)}\n"


def documents(count: int, *, first: int = 0, sections: int = SECTIONS) -> list[Upload]:
    """Return Markdown documents; document ``i`` holds the sections from ``(first + i) * sections`` on."""
    return [
        Upload(
            f"stations-{i:04d}.md",
            "\n".join([f"# Stations, volume {i}\n", *map(section, range(i * sections, (i + 1) * sections))]).encode(),
        )
        for i in range(first, first + count)
    ]
