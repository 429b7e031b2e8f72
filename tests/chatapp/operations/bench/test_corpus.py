from __future__ import annotations

from chatapp.operations.bench import corpus


def test_every_section_holds_a_fact_of_its_own() -> None:
    numbers = range(2000)
    assert len({corpus.station(n) for n in numbers}) == len(numbers)
    assert len({corpus.fact(n).question for n in numbers}) == len(numbers)
    assert corpus.fact(7).answer in corpus.section(7)
    assert corpus.fact(7).answer not in corpus.section(8)


def test_documents_are_the_same_every_time_and_never_overlap() -> None:
    first, again, later = corpus.documents(3), corpus.documents(3), corpus.documents(2, first=3)
    assert first == again
    assert not {file.name for file in first} & {file.name for file in later}
    assert later[0].data.decode().count("\n## ") == corpus.SECTIONS
    assert corpus.fact(15).answer in later[0].data.decode()


def test_a_section_is_one_passage_long() -> None:
    assert all(700 < len(corpus.section(n)) < 1100 for n in range(200))
