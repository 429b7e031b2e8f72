"""A small labelled set of our own: the rules of an invented ferry company.

Every rule is asked for twice, in other words than its own (only vectors help) and by the code of its form among
many codes like it (only words help). Written for these tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

RULES = (
    ("Bicycles", "Bikes travel on the car deck and are lashed to the rail on the port side.", "Where do I put my two-wheeler while we cross?"),
    ("Dogs", "Dogs stay on a leash in the lounge and wear a muzzle on the stairs.", "What applies to someone travelling with a hound?"),
    ("Refunds", "A ticket that was not used is paid back within thirty days of the crossing.", "How long can I claim my money if I missed the boat?"),
    ("Fog", "The master sounds the horn every two minutes and halves the speed.", "What is done when one can hardly see ahead?"),
    ("Galley", "The cook throws soup away after four hours on the stove.", "When must warm food be discarded?"),
    ("Uniform", "Deckhands wear the dark jacket, and gloves when they handle ropes.", "Which clothes does the crew put on?"),
    ("Lost property", "Found purses lie in the purser's safe for six weeks and then go to the police.", "What happens to a wallet somebody left behind?"),
    ("Children", "Infants below four travel free; older ones up to fourteen pay half.", "Is there a discount for my young daughter?"),
    ("Fuel", "The tanks are dipped each Monday and filled when less than a third is left.", "How is it made sure that the ship does not run out of diesel?"),
    ("Seasickness", "Ginger sweets and paper bags are handed out at the bar without charge.", "What can a passenger who feels nauseous get?"),
    ("Wheelchairs", "The lift to the upper deck takes one chair; a deckhand goes along.", "How does a disabled guest reach the top floor?"),
    ("Drills", "The boats are swung out on the first Tuesday of each month.", "How often do we practise abandoning ship?"),
    ("Smoking", "Cigarettes are allowed only at the stern, behind the funnel.", "May I light up a pipe somewhere on board?"),
    ("Overtime", "Hours beyond forty-eight are paid one and a half times.", "What compensation does staff receive for working extra?"),
    ("Freight", "Lorries heavier than twenty tonnes cross at low water only.", "Is there a limit on trucks with big loads?"),
    ("Radio", "The watch listens on channel sixteen and writes each call down.", "Who keeps a record of what is said over the air?"),
    ("Ice", "Salt is spread on the gangway before the first passenger walks over it.", "How do we keep people from slipping in winter?"),
    ("Illness", "Whoever has a fever stays ashore and phones the office before six.", "I woke up sick, what should I do about my shift?"),
    ("Weddings", "The saloon is rented for parties of up to eighty guests after the last crossing.", "Can we celebrate our marriage on the vessel?"),
    ("Paint", "The hull is scraped and coated again every second spring in the dry dock.", "How frequently is the outside of the ship renewed?"),
    ("Cash", "The till is counted by two people at midnight and locked away.", "How are the day's takings checked?"),
    ("Storm", "No departure is made in winds above forty-five knots.", "At what gale strength does the service stop?"),
    ("Photographs", "Pictures of the bridge are not to be taken or shown to anybody.", "Am I permitted to use my camera near the steering room?"),
    ("Complaints", "A letter from a customer is answered by the manager within ten days.", "How soon do we respond to an unhappy traveller?"),
)  # fmt: skip

NOTHING = (
    "What is the capital of Mongolia?",
    "Who won the chess tournament last year?",
    "How many strings does a cello have?",
    "Which enzyme splits lactose?",
    "What colour is the flag of Denmark?",
    "When was the printing press invented?",
)


def code(number: int) -> str:
    """Return the code of a rule's form; they resemble each other as codes do."""
    return f"QX-{7310 + 11 * number}-{'BDFH'[number % 4]}"


def rule(number: int) -> str:
    title, text, _ = RULES[number]
    return f"{text} The office keeps form {code(number)} about it."


def write_set(folder: Path, *, rules: int = len(RULES), per_document: int = 3) -> Path:
    """Write the set with its first rules and return the folder."""
    documents: dict[str, list[int]] = {}
    for number in range(rules):
        documents.setdefault(f"part-{number // per_document + 1}", []).append(number)
    rows: dict[str, list[Mapping[str, Any]]] = {"corpus": [], "queries": [], "qrels": []}
    for name, numbers in documents.items():
        # Sections of their own, so that each rule becomes one passage.
        text = "\n\n".join(f"## {RULES[number][0]}\n\n{rule(number)}" for number in numbers) + "\n"
        rows["corpus"].append({"doc_id": name, "title": f"Handbook, {name}", "text": text, "format": "md"})
        for number in numbers:
            start = text.index(rule(number))
            for kind, question in (
                ("meaning", RULES[number][2]),
                ("words", f"What is {code(number)}?"),
            ):
                query = f"{kind}-{number}"
                rows["queries"].append({"query_id": query, "text": question, "scope_doc_id": name, "split": kind})
                rows["qrels"].append(
                    {"query_id": query, "doc_id": name, "start": start, "end": start + len(rule(number))}
                )
    rows["queries"] += [
        {"query_id": f"nothing-{number}", "text": text, "answerable": False} for number, text in enumerate(NOTHING)
    ]
    write_rows(folder, rows)
    return folder


def write_rows(folder: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def change(folder: Path, name: str, edit: Callable[[dict[str, Any]], Mapping[str, Any] | None]) -> None:
    """Write a file of the set again with every row edited; None leaves a row out."""
    path = folder / f"{name}.jsonl"
    rows = [edit(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    write_rows(folder, {name: [row for row in rows if row is not None]})
