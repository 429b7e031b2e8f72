"""Documents in several languages: told at ingestion, analysed in their own, found by inflected words."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge.documents import live
from knowledge.documents.indexes import reconcile
from knowledge.documents.models import DocumentVersion, IndexGeneration
from knowledge.types import Passage

pytestmark = pytest.mark.django_db(transaction=True)

ENGLISH = (
    "# Lease\n\nThe tenant pays the rent on the first of the month. It is not due when the flat was not handed over.\n"
)
CORPUS = {
    "de": (
        (
"# Mietvertrag\n\nDie Wohnungen sind bei Auszug zu reinigen. Der Mieter hat die Kosten der Häuser zu tragen, wenn er "
        "sie nicht selbst bezahlt hat. Kündigungen sind nur schriftlich möglich.\n"
        ),
        ["Haus", "Wohnung", "Kündigung", "Was hat der Mieter für ein Haus zu zahlen?"],
    ),
    "fr": (
        (
"# Règlement\n\nLes salariés bénéficient de congés payés dans toutes les agences. Les demandes sont à adresser au "
        "responsable avant le début du mois, et elles ne sont pas refusées sans raison.\n"
        ),
        ["salarié", "agence", "demande refusée", "Quel congé est payé par une agence ?"],
    ),
    "es": (
        (
"# Reglamento\n\nLos empleados tienen derecho a vacaciones pagadas en todas las oficinas. Las solicitudes se presentan "
        "al director antes del inicio del mes y no se rechazan sin una razón.\n"
        ),
        ["empleado", "oficina", "solicitud rechazada", "¿Cuándo se presenta una solicitud al director?"],
    ),
}  # fmt: skip


def found(world: Any, text: str, title: str) -> Passage:
    """Return the passage of that title; the test fails when it is not the best."""
    best = world.search(text)[0]
    assert best.title == title
    return best


def generation(world: Any) -> IndexGeneration:
    world.base.refresh_from_db()
    return IndexGeneration.objects.get(pk=world.base.live_generation_id)


@pytest.mark.parametrize("language", CORPUS)
def test_inflected_question_finds_the_passage_by_its_words(world: Any, language: str) -> None:
    text, questions = CORPUS[language]
    world.upload(ENGLISH, "en.md")
    document = world.add(text, f"{language}.md")
    assert document.current_version.language == language
    assert generation(world).languages == sorted(["en", language])
    for question in questions:
        assert found(world, question, f"{language}.md").scores["keyword"] > 0.1


def test_all_languages_in_one_base(world: Any) -> None:
    world.upload(ENGLISH, "en.md")
    for language, (text, _) in CORPUS.items():
        world.upload(text, f"{language}.md")
    world.work()
    assert live.LiveIndex().languages(world.scope) == {"en", "de", "fr", "es"}
    for language, (_, questions) in CORPUS.items():
        for question in questions:
            assert found(world, question, f"{language}.md").scores["keyword"] > 0.1
    assert found(world, "When are rents due?", "en.md").scores["keyword"] > 0.1
    assert world.stated() == world.counted()


def test_a_language_more_takes_nothing_from_an_english_question(world: Any) -> None:
    world.add(ENGLISH, "en.md")
    before = found(world, "When is the rent of a flat due?", "en.md").scores["keyword"]
    world.add(CORPUS["de"][0], "de.md")
    after = found(world, "When is the rent of a flat due?", "en.md").scores["keyword"]
    assert after == pytest.approx(before, rel=0.1)


def test_document_without_a_language_counts_as_english_until_it_is_indexed_again(world: Any) -> None:
    document = world.add(CORPUS["de"][0], "de.md")
    DocumentVersion.objects.update(language="")
    IndexGeneration.objects.update(languages=["en"])  # as a database is after the migration
    assert live.LiveIndex().languages(world.scope) == {"en"}
    world.base.refresh_from_db()
    reconcile.rebuild(base=world.base)
    document.current_version.refresh_from_db()
    assert document.current_version.language == "de"
    assert generation(world).languages == ["de"]
    assert found(world, "Haus", "de.md").scores["keyword"] > 0.1
    assert world.stated() == world.counted()


def test_languages_are_those_of_the_scope(world: Any, other_world: Any) -> None:
    world.add(ENGLISH, "en.md")
    other_world.add(CORPUS["fr"][0], "fr.md")
    assert live.LiveIndex().languages(world.scope) == {"en"}
    assert live.LiveIndex().languages(other_world.scope) == {"fr"}
    from dataclasses import replace

    assert live.LiveIndex().languages(replace(world.scope, tenant="")) == set()
    assert live.LiveIndex().languages(replace(world.scope, tenant=other_world.scope.tenant)) == set()


def test_new_version_may_be_in_another_language(world: Any) -> None:
    world.add(ENGLISH, "lease.md")
    document = world.add(CORPUS["de"][0], "lease.md")
    assert document.current_version.language == "de"
    assert list(document.versions.order_by("number").values_list("language", flat=True)) == ["en", "de"]
    assert found(world, "Haus", "lease.md").version == 2
    assert world.stated() == world.counted()
