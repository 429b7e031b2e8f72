"""``manage.py evaluate labels``."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chatapp.answering.verification import default_record
from chatapp.labelling import records
from chatapp.labelling.figures import Marked, quality
from chatapp.labelling.models import SentenceLabel, VerificationRecord

pytestmark = pytest.mark.django_db


def evaluate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("evaluate", "labels", *arguments, stdout=out)
    return out.getvalue()


def cells(text: str, name: str) -> list[str]:
    """Return what stands behind a name in the table."""
    [line] = [line for line in text.splitlines() if line.startswith(f"  {name}  ")]
    return line.removeprefix(f"  {name}").replace("[", " [").split()


@pytest.fixture
def label(tenant: Any, owner: Any) -> Any:
    """Call to have sentences labelled that were judged alike."""

    def give(count: int, said: str, *, chance: float, verdict: str, judged_by: str, **more: Any) -> None:
        SentenceLabel.objects.bulk_create(
            SentenceLabel(
                tenant=tenant, run_ref=uuid.uuid4(), sentence=0, by=owner, label=said, verdict=verdict, chance=chance,
                open=judged_by in ("words", "vectors"), judged_by=judged_by,
                **{"at_random": True, "verifier": default_record().verifier, **more},
            )
            for _ in range(count)
        )  # fmt: skip

    return give


def test_each_judge_has_its_own_line(label: Any, tenant: Any) -> None:
    label(16, "supported", chance=0.6, verdict="supported", judged_by="vectors")
    label(4, "supported", chance=0.4, verdict="weak", judged_by="vectors")
    label(10, "not_supported", chance=0.3, verdict="weak", judged_by="vectors")
    label(10, "not_supported", chance=0.5, verdict="supported", judged_by="vectors")
    label(4, "not_supported", chance=0.95, verdict="supported", judged_by="judge")
    label(3, "unsure", chance=0.5, verdict="supported", judged_by="vectors")
    label(6, "not_supported", chance=0.45, verdict="weak", judged_by="vectors", at_random=False)
    label(9, "supported", chance=0.1, verdict="unsupported", judged_by="vectors", verifier="older")
    text = evaluate("--tenant", tenant.slug)
    assert "62 labels: supported 29, not supported 30, unsure 3." in text
    # sentences, at random, supported, verdict agrees, AUROC with interval, balanced accuracy
    sentences, drawn, held, agreed, area, *_, balanced = cells(text, "chance by words and meaning")
    assert (sentences, drawn, held, agreed, area, balanced) == ("46", "40", "20", "0.650", "0.900", "0.650")
    assert cells(text, "language model") == ["4", "4", "0", "0.000"]
    assert cells(text, "all")[:4] == ["50", "44", "20", "0.591"]
    assert "own" not in text.casefold()


def test_own_thresholds_stand_beside_the_shipped_and_move_only_what_the_chance_decided(label: Any, tenant: Any) -> None:
    label(10, "supported", chance=0.4, verdict="weak", judged_by="words")
    label(10, "not_supported", chance=0.3, verdict="weak", judged_by="words")
    label(5, "supported", chance=0.4, verdict="weak", judged_by="judge")
    label(5, "not_supported", chance=0.05, verdict="unsupported", judged_by="judge")
    own = VerificationRecord.objects.create(
        tenant=tenant, verifier=default_record().verifier, supported=0.35, unsupported=0.2, held=60, others=60,
        auroc=0.9, auroc_low=0.8, auroc_high=0.95, balanced_accuracy=0.8, shipped_accuracy=0.7, active=True,
    )  # fmt: skip
    records.forget(tenant.pk)
    text = evaluate()
    assert cells(text, "chance by its words")[-2:] == ["0.500", "1.000"]
    assert cells(text, "language model")[-2:] == ["0.500", "0.500"]
    assert f"Own thresholds: record {own.pk} of " in text


def test_without_labels_and_without_such_a_tenant_it_says_so(tenant: Any) -> None:
    assert "0 labels: supported 0, not supported 0, unsure 0." in evaluate()
    with pytest.raises(CommandError, match="There is no tenant"):
        evaluate("--tenant", "nobody")


def test_people_who_agree_are_told_of(label: Any, tenant: Any, make_user: Any) -> None:
    label(1, "supported", chance=0.6, verdict="supported", judged_by="words")
    row = SentenceLabel.objects.get()
    row.pk, row.by = None, make_user("second@acme.test", tenant=tenant, role="admin")
    row.save(force_insert=True)
    assert "Labelled by several people: 1; 1.000 of their labels are alike." in evaluate()


def test_sentences_that_were_not_drawn_at_random_are_only_counted() -> None:
    row = Marked(chance=0.9, held=True, open=True, at_random=False, verdict="supported")
    found = quality([row], limits=[0.5])
    assert (found.sentences, found.drawn, found.agreed, found.curve, found.balanced) == (1, 0, 0.0, None, ())
