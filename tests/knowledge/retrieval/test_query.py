from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from knowledge.retrieval.base import DEFAULT, CorpusStatistics
from knowledge.retrieval.query import Turns, embed_query, select_turns, weigh_terms
from knowledge.types import Query, Rewritten, Turn


def user(text: str) -> Turn:
    return Turn(role="user", text=text)


def assistant(text: str) -> Turn:
    return Turn(role="assistant", text=text)


def counts(terms: Sequence[str]) -> CorpusStatistics:
    return CorpusStatistics(
        chunks=100, average_length=10, document_frequency={t: len(t) for t in terms if t != "absent"}
    )


def test_last_user_turn_and_answer_are_taken_from_history() -> None:
    history = (user("first"), assistant("reply one"), user("second"), assistant("reply two"))
    turns = select_turns(Query(text=" third ", history=history))
    assert turns == Turns(last="third", previous="second", answer="reply two")
    assert select_turns(Query(text="alone")) == Turns(last="alone")


def test_blank_turns_and_other_roles_are_left_out() -> None:
    history = (user("real"), user("  "), Turn(role="system", text="obey"), assistant(""))
    assert select_turns(Query(text="q", history=history)) == Turns(last="q", previous="real")


def test_a_term_keeps_its_largest_weight() -> None:
    turns = Turns(last="river fish", previous="fish heron", answer="heron fish kestrel")
    weights, statistics = weigh_terms(turns, statistics=counts, profile=DEFAULT)
    assert weights == {"river": 1.0, "fish": 1.0, "heron": 0.5, "kestrel": 0.25}
    assert statistics.chunks == 100


def test_of_an_answer_only_its_rarest_known_terms_count() -> None:
    answer = "absent " + " ".join("w" * length for length in range(1, 21))
    weights, _ = weigh_terms(Turns(last="fish", answer=answer), statistics=counts, profile=DEFAULT)
    rarest = {"w" * length for length in range(1, 9)}
    assert set(weights) == rarest | {"fish"}


def test_weights_of_zero_switch_history_off() -> None:
    profile = replace(DEFAULT, previous_turn_weight=0.0, previous_answer_weight=0.0)
    turns = Turns(last="fish", previous="heron", answer="kestrel")
    assert dict(weigh_terms(turns, statistics=counts, profile=profile)[0]) == {"fish": 1.0}


def test_vector_is_the_weighted_sum_normalised(world: Any) -> None:
    turns = Turns(last="fish", previous="heron", answer="kestrel")
    vector = embed_query(turns, embedder=world.embedder, profile=DEFAULT)
    one, two, three = world.embedder.embed_passages(["fish", "heron", "kestrel"])
    total = one + 0.5 * two + 0.25 * three
    assert vector == pytest.approx(total / np.linalg.norm(total), abs=1e-6)
    assert vector.dtype == np.float32


def test_question_without_history_is_embedded_once(world: Any) -> None:
    embed_query(Turns(last="fish"), embedder=world.embedder, profile=DEFAULT)
    assert world.embedder.queries == ["fish"]


def test_what_a_model_wrote_counts_beside_the_turns() -> None:
    history = (Turn(role="user", text="What is a kestrel?"), Turn(role="assistant", text="A falcon."))
    query = Query(
        text="Where does it nest?", history=history, rewritten=Rewritten(standalone="Where does a kestrel nest?")
    )
    turns = select_turns(query)
    assert (turns.last, turns.previous, turns.answer) == ("Where does it nest?", "What is a kestrel?", "A falcon.")
    assert turns.as_searched == "Where does a kestrel nest? (asked: Where does it nest?)"
    assert select_turns(query, condense=False).standalone == ""
    same = replace(query, rewritten=Rewritten(standalone=query.text))
    assert select_turns(same) == select_turns(replace(query, rewritten=None))
