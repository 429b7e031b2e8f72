"""What an administrator does with versions: promote, try on a share, go back, retire."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction

from chatapp.finetuning.registry.access import access_version, require_administrator
from chatapp.finetuning.registry.errors import RegistryRefused
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from chatapp.finetuning.registry.registering import register_version
from chatapp.finetuning.registry.retiring import check_retirable
from chatapp.finetuning.registry.standing import can_answer, former_versions, is_stopped, note, settle
from knowledge.tenants.access import Actor

__all__ = ["go_back", "promote", "register_version", "retire", "roll_back", "set_canary"]

State = ModelVersion.State
LONGEST_REASON = 400
UNCHECKED = (
    "This version has not passed its evaluation. Run the evaluation first, or promote it all the same and say why."
)
STOPPED = "Documents that this version was trained on are gone, so it answers no more. Train again without them."
NOTHING_BEFORE = "There is no earlier version to go back to."
SHARE = "The share must be a whole number from 0 to 100."


def promote(actor: Actor, pk: object, *, force: str = "") -> ModelVersion:
    """Let a version answer from now on. ``force`` is the reason to do so without a passed evaluation; it is recorded.

    :raises RegistryRefused: it is retired, stopped, or has not passed and no reason is given.
    """
    require_administrator(actor)
    reason = force.strip()[:LONGEST_REASON]
    with transaction.atomic():
        version, model = _held(actor, pk)
        if version.state == State.ACTIVE:
            return version
        _check_usable(version)
        passed = version.gate.get("verdict") == "passed"
        if not passed and not reason:
            raise RegistryRefused(UNCHECKED)
        before = model.versions.filter(state=State.ACTIVE).first()
        _activate(version, before)
        words = f"Promoted without a passed evaluation: {reason}" if not passed else "Promoted after its evaluation."
        note(
            version, "promoted", by=actor.user_id, forced=not passed, reason=reason, words=words,
            gate=version.gate.get("verdict", ""), before=before.number if before else None,
        )  # fmt: skip
        settle(model)
    return version


def roll_back(actor: Actor, model: FineTunedModel) -> ModelVersion:
    """Have the version answer that did before the active one. :raises RegistryRefused: there is none."""
    require_administrator(actor)
    return go_back(model, by=actor.user_id, words="Taken back by a person.")


def go_back(model: FineTunedModel, *, by: int | None = None, words: str) -> ModelVersion:
    """Take the active version back; also called by the watch, for reasons it gives in ``words``.

    :raises RegistryRefused: there is no earlier version.
    """
    with transaction.atomic():
        model = FineTunedModel.objects.select_for_update(of=("self",)).get(pk=model.pk)
        active = model.versions.filter(state=State.ACTIVE).first()
        earlier = [each for each in former_versions(model) if active is None or each.pk != active.pk]
        earlier = [each for each in earlier if not is_stopped(each)]
        if not earlier:
            raise RegistryRefused(NOTHING_BEFORE)
        if active is not None:
            note(active, "rolled_back", by=by, words=words, to=earlier[0].number)
        _activate(earlier[0], active)
        note(earlier[0], "reactivated", by=by, words=words, before=active.number if active else None)
        settle(model)
    return earlier[0]


def set_canary(actor: Actor, pk: object, share: int) -> ModelVersion:
    """Let a candidate answer a share of conversations, in percent; 0 ends that.

    :raises RegistryRefused: it is active already, cannot answer, or has not passed its evaluation.
    """
    require_administrator(actor)
    with transaction.atomic():
        version, model = _held(actor, pk)
        if not 0 <= share <= 100:
            raise RegistryRefused(SHARE)
        if share:
            _check_usable(version)
            if version.state == State.ACTIVE:
                raise RegistryRefused("This version answers already.")
            if version.gate.get("verdict") != "passed":
                raise RegistryRefused("This version has not passed its evaluation. Run the evaluation first.")
            if not can_answer(version):
                raise RegistryRefused("No server has loaded this version. Start a server of its base model first.")
        _set_share(model, version, share, by=actor.user_id, words=f"Answers {share} % of conversations.")
    return version


def end_canary(version: ModelVersion, *, words: str) -> None:
    """Take a canary off; for the watch."""
    with transaction.atomic():
        model = FineTunedModel.objects.select_for_update(of=("self",)).get(pk=version.fine_tuned_model_id)
        _set_share(model, version, 0, by=None, words=words)


def retire(actor: Actor, pk: object, *, delete_files: bool = False) -> ModelVersion:
    """Take a version out of use for good: its entry goes, servers drop it. With its files it cannot come back.

    :raises RegistryRefused: it is active and another could answer. :raises ModelInUse: assistants name its own entry,
    or the model's, which has no fallback, while this version is the last.
    """
    require_administrator(actor)
    with transaction.atomic():
        version, model = _held(actor, pk)
        check_retirable(actor, version)
        folder = version.path
        version.state, version.canary_share = State.RETIRED, 0
        version.path = "" if delete_files else folder
        entry = version.language_model
        version.language_model = None
        version.save(update_fields=["state", "canary_share", "path", "language_model"])
        if entry is not None:
            entry.delete()
        note(version, "retired", by=actor.user_id, files_deleted=delete_files, words="Taken out of use.")
        settle(model)
        if delete_files and folder:
            transaction.on_commit(lambda: _delete_files(folder))
    return version


def _delete_files(folder: str) -> None:
    path, allowed = Path(folder).resolve(), Path(settings.TRAINING_DIR).resolve()
    if path.is_relative_to(allowed) and path != allowed:
        shutil.rmtree(path, ignore_errors=True)


def _held(actor: Actor, pk: object) -> tuple[ModelVersion, FineTunedModel]:
    """Return the version and its model, which nobody else changes until the transaction ends."""
    found = access_version(actor, pk)
    model = FineTunedModel.objects.select_for_update(of=("self",)).get(pk=found.fine_tuned_model_id)
    return access_version(actor, pk), model


def _check_usable(version: ModelVersion) -> None:
    if version.state == State.RETIRED:
        raise RegistryRefused("This version is retired.")
    if is_stopped(version):
        raise RegistryRefused(STOPPED)


def _activate(version: ModelVersion, before: ModelVersion | None) -> None:
    if before is not None:
        ModelVersion.objects.filter(pk=before.pk).update(state=State.CANDIDATE)
    version.state, version.canary_share = State.ACTIVE, 0
    version.save(update_fields=["state", "canary_share"])


def _set_share(model: FineTunedModel, version: ModelVersion, share: int, *, by: int | None, words: str) -> None:
    model.versions.exclude(pk=version.pk).filter(canary_share__gt=0).update(canary_share=0)  # one at a time
    version.canary_share = share
    version.save(update_fields=["canary_share"])
    note(version, "canary", by=by, share=share, words=words if share or by is None else "Answers no share any more.")
    settle(model)
