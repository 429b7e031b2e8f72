"""Many answers over real documents: each citation exact, no marker out of range. With ``TESTS=full`` two hundred of each
model, on both stores."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from amount import STORES, of
from real_documents import PACKAGES, real_documents

from chatapp.operations.bench.client import Upload

pytestmark = [pytest.mark.timeout(900), pytest.mark.parametrize("product", STORES, indirect=True)]

ROOT = Path(__file__).resolve().parents[2]
ANSWERS, UNRULY, AT_ONCE = of(120, 200), 40, 8
# What a model should not write: labels that no source has, other brackets, numbers of its own.
UNRULY_CHUNKS = (
    "A claim that rests on the first source [S1]. Another on one that is not there [S99][S0]. ",
    "A third [S2", "][S1000000] and a num", "ber of its own [7] or [1]. In round brackets (S42). Wide ones 【S98】. ",
    "A list [S1, S77]. Half a marker [S",
)  # fmt: skip


@pytest.fixture(scope="module")
def answered(product: Any, samples: list[Any]) -> dict[str, list[dict[str, Any]]]:
    """All answers of one store: those of a model that cites well, and those of one that does not."""
    written = real_documents(questions_each=-(-ANSWERS // len(PACKAGES)))
    base = product.client.knowledge_base("citations")
    pages = [Upload(path.name, path.read_bytes()) for path in sorted((ROOT / "docs").glob("*.md"))]
    files = [*(Upload(w.name, w.data) for w in written), *(Upload(s.name, s.data) for s in samples), *pages]
    rows = product.client.ingest(base, files, limit=400)
    assert {row["status"] for row in rows} == {"ready"}, [(row["title"], row["error"]) for row in rows]
    asked = [
        *(s.question for s in samples),
        *(q for turn in zip(*(w.questions for w in written), strict=True) for q in turn),
    ]

    def ask(questions: Sequence[str]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(lambda question: product.client.ask(question, [base]), questions))

    orderly = ask(asked[: ANSWERS - UNRULY])
    product.model.script(UNRULY_CHUNKS, model="scripted-cite")
    unruly = ask(asked[ANSWERS - UNRULY : ANSWERS])
    product.model.reset()
    return {"orderly": orderly, "unruly": unruly}


def test_every_citation_is_exact_and_every_marker_has_one(product: Any, answered: Any) -> None:
    answers = answered["orderly"] + answered["unruly"]
    assert len(answers) == ANSWERS
    cited = [product.check_citations(answer) for answer in answers]
    assert sum(map(bool, cited)) >= 0.95 * ANSWERS  # or the sum below proves little
    assert sum(cited) >= 2 * ANSWERS
    documents = {c["document"] for answer in answers for c in answer["citations"]}
    assert len(documents) >= len(PACKAGES)


def test_no_marker_is_out_of_range(product: Any, answered: Any) -> None:
    for answer in answered["unruly"]:
        run = product.client.call("GET", f"/runs/{answer['run']}")
        assert {c["passage"] for c in run["citations"]} <= {p["key"] for p in run["passages"]}
        content = answer["choices"][0]["message"]["content"]
        for foreign in ("99", "1000000", "[7]", "98", "77", "S42", "[S"):
            assert foreign not in content, content
        assert run["anomalies"]["out_of_range"] >= 3, run["anomalies"]
