"""The watch takes back what answers worse, with the figures in words, and nothing on few answers."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import tuned_world

from chatapp.finetuning.registry import services, watching
from chatapp.finetuning.registry.watching import Share, lower_end
from chatapp.language_models.models import LanguageModel, UsageEntry

URL = "http://127.0.0.1:9/v1"


def calls(version: Any, *, ok: int, failed: int) -> None:
    for status, count in (("ok", ok), ("failed", failed)):
        UsageEntry.objects.bulk_create(
            UsageEntry(
                tenant=version.fine_tuned_model.tenant, language_model=version.language_model, model="m",
                purpose="answer", status=status, run_ref=uuid.uuid4(),
            )
            for _ in range(count)
        )  # fmt: skip


@pytest.fixture
def pair(make_version: Any, admin: Any) -> tuple[Any, Any]:
    """An active version that did well, and a candidate."""
    versions = (make_version(), make_version())
    for version in versions:
        version.gate = {"verdict": "passed"}
        version.save(update_fields=["gate"])
        tuned_world.serve(version, url=URL, model=f"m{version.number}")
    services.promote(admin, versions[0].pk)
    calls(versions[0], ok=98, failed=2)
    return versions


def test_a_canary_that_fails_more_is_taken_off(pair: Any, admin: Any) -> None:
    active, canary = pair
    services.set_canary(admin, canary.pk, 20)
    calls(canary, ok=10, failed=9)  # too few to tell
    assert watching.watch() == 0
    calls(canary, ok=5, failed=6)
    assert watching.watch() == 1
    canary.refresh_from_db()
    assert canary.canary_share == 0
    assert LanguageModel.objects.get(pk=active.fine_tuned_model.language_model_id).canary is None
    event = canary.events.filter(kind="canary").order_by("-created").first()
    assert event.by is None
    assert "50% failed calls (15 of 30) against 2%" in event.detail["words"]
    assert watching.watch() == 0


def test_a_canary_that_does_as_well_stays(pair: Any, admin: Any) -> None:
    services.set_canary(admin, pair[1].pk, 20)
    calls(pair[1], ok=95, failed=5)
    assert watching.watch() == 0


def test_a_promoted_version_that_fails_more_is_taken_back(pair: Any, admin: Any) -> None:
    before, after = pair
    services.promote(admin, after.pk)
    calls(after, ok=10, failed=20)
    assert watching.watch() == 1
    before.refresh_from_db()
    after.refresh_from_db()
    assert (before.state, after.state) == ("active", "candidate")
    assert "Taken back by itself: 67% failed calls" in after.events.get(kind="rolled_back").detail["words"]
    assert watching.watch() == 0


def test_answers_whose_statements_do_not_hold_and_faults_of_form_count(
    pair: Any, admin: Any, owner: Any, tenant: Any, settings: Any
) -> None:
    from django.utils import timezone

    from chatapp.conversations.models import AnswerRun, Conversation, Message

    settings.WATCH_LEAST_ANSWERS = 5
    active, canary = pair
    services.set_canary(admin, canary.pk, 20)
    talk = Conversation.objects.create(tenant=tenant, user=owner, title="t")
    for version, verdict, anomalies in ((active, "supported", {}), (canary, "unsupported", {"unknown_label": 1})):
        for _ in range(8):
            asked, answered = (Message.objects.create(conversation=talk, role=role) for role in ("user", "assistant"))
            run = AnswerRun.objects.create(
                tenant=tenant, conversation=talk, question=asked, answer=answered, heartbeat=timezone.now(),
                status="done", sentences=[{"verdict": verdict}], anomalies=anomalies,
            )  # fmt: skip
            UsageEntry.objects.create(
                tenant=tenant, language_model=version.language_model, model="m", purpose="answer", status="ok",
                run_ref=run.pk,
            )  # fmt: skip
    assert watching.watch() == 1
    words = canary.events.filter(kind="canary").order_by("-created").first().detail["words"]
    assert "100% statements that their sources do not hold (8 of 8) against 0%" in words
    assert "100% answers with faults of form (8 of 8) against 0%" in words


def test_the_lower_end_of_a_share() -> None:
    assert lower_end(Share(0, 0)) == 0
    assert lower_end(Share(10, 10)) == pytest.approx(0.722, abs=0.001)  # Wilson's interval of 10 of 10
    assert lower_end(Share(5, 20)) == pytest.approx(0.112, abs=0.001)
