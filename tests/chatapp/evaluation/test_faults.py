from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from chatapp.answering.verification import Verifier
from chatapp.evaluation.faults import FAULTS, Fault, faults_of, injected
from chatapp.evaluation.labelled import LabelledSet, SourceDocument
from knowledge.embedding.table import PieceTable

THINGS = "copper marble granite wooden golden silver velvet ribbon candle barrel basket hammer".split()
TOWNS = "Arlon Bregenz Chur Delft Evora Fulda Gent Hanau Imst Jena Kiel Lugano".split()


@pytest.fixture(scope="module")
def source() -> LabelledSet:
    documents = tuple(
        SourceDocument(
            id=town, title=town, suffix="txt",
            text=f"The ferry to {town} is moored at pier {number} of the old harbour. "
            f"In {2000 + number} the mayor of {town} opened a library beside the market hall. "
            f"The {number + 40} bakers of {town} do not sell more than {number + 70} loaves to a guest. Nobody was late for the {thing} of the mayor.",
        )
        for number, (town, thing) in enumerate(zip(TOWNS, THINGS, strict=True), start=21)
    )  # fmt: skip
    return LabelledSet(name="towns", documents=documents, questions=())


@pytest.fixture(scope="module")
def faults(source: LabelledSet) -> Mapping[str, list[Fault]]:
    return faults_of(source, most=8)


def test_each_kind_alters_what_it_says_and_nothing_else(faults: Mapping[str, list[Fault]]) -> None:
    assert set(faults) == set(FAULTS)
    for kind, made in faults.items():
        assert len(made) == 8
        for each in made:
            before, after = each.sentence.split(), each.altered.split()
            differ = [(one, two) for one, two in zip(before, after, strict=False) if one != two]
            if kind in ("none", "wrong passage"):
                assert before == after
                assert (each.sentence in each.passage) == (kind == "none")
            elif kind.startswith("negation"):
                less, more = sorted((before, after), key=len)
                assert (more == after) == (kind == "negation")
                assert [word for word in more if word != "not"] == less
            elif kind == "numbers swapped":
                assert sorted(before) == sorted(after)
                assert len(differ) == 2
            else:
                assert len(differ) == 1
                assert each.sentence in each.passage
                assert (differ[0][1].strip(".") in each.passage) == (kind == "number of elsewhere")


def test_the_same_seed_makes_the_same_faults(source: LabelledSet, faults: Mapping[str, list[Fault]]) -> None:
    assert faults_of(source, most=8) == faults
    assert faults_of(source, most=8, seed=1) != faults


def test_every_fault_is_seen_and_true_sentences_are_left_alone(source: LabelledSet) -> None:
    found = {each.kind: each for each in injected(source, verifier=Verifier(PieceTable()), most=8)}
    assert found["none"].flagged == 0
    for kind in set(FAULTS) - {"none", "word"}:
        assert found[kind].flagged == found[kind].sentences == 8, found[kind].missed
        assert found[kind].missed == ()


def test_documents_without_sentences_have_no_faults(source: LabelledSet) -> None:
    nothing = replace(source, documents=())
    assert all(made == [] for made in faults_of(nothing, most=5).values())


def test_the_command_prints_how_many_are_seen(tmp_path: Path, ferry: Path) -> None:
    (tmp_path / "made").mkdir()
    rows = [
        f'{{"question": "{n}", "statement": "It opens at {n}.", "passages": ["It opens at {n + n % 2}."], '
        f'"label": "{"not_supported" if n % 2 else "supported"}"}}'
        for n in range(40, 60)
    ]
    (tmp_path / "made" / "statements.jsonl").write_text("\n".join(rows))
    out = StringIO()
    call_command("evaluate", "verification", str(tmp_path / "made"), "--faults", str(ferry), stdout=out)
    table = out.getvalue().split("Errors put into sentences of")[1]
    assert [line[:22].strip() for line in table.splitlines()[1:]] == list(FAULTS)
