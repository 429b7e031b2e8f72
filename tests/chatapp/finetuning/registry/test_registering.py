"""What a run left becomes a version, or is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tuned_world

from chatapp.finetuning.registry.errors import RegistryRefused
from chatapp.finetuning.registry.models import FineTunedModel, ModelVersion
from chatapp.finetuning.registry.services import register_version
from chatapp.language_models.models import LanguageModel


def test_runs_on_the_same_data_and_base_are_versions_of_one_model(make_version: Callable[..., Any]) -> None:
    first, second = make_version(), make_version()
    assert [first.number, second.number] == [1, 2]
    model = FineTunedModel.objects.get()
    assert model.name == "Ferry answers on Tiny"
    assert first.fine_tuned_model == second.fine_tuned_model == model
    alias = model.language_model
    assert (alias.is_alias, alias.source, alias.context_window, alias.max_output_tokens) == (
        True, "fine_tuned", 512, 128,
    )  # fmt: skip
    assert first.state == "candidate"
    assert first.data_hash == first.run.dataset_version.content_hash
    assert [event.kind for event in first.events.all()] == ["registered"]


def test_the_same_run_is_registered_once(make_version: Callable[..., Any]) -> None:
    version = make_version()
    assert register_version(version.run) == version
    assert ModelVersion.objects.count() == 1


@pytest.fixture
def run(training_dir: Path, tenant: Any) -> Any:
    data = tuned_world.make_data(tenant)
    return tuned_world.make_run(tenant, data=data, base=tuned_world.make_base())


def _spoil_weights(folder: Path, run: Any) -> None:
    tuned_world.write_adapter(folder, seed=77)


def _cut(folder: Path, run: Any) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


def _pickle(folder: Path, run: Any) -> None:
    (folder / "optimizer.pt").write_bytes(b"x")


def _other_rank(folder: Path, run: Any) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"r": 8}))


def _no_tensors(folder: Path, run: Any) -> None:
    (folder / "adapter_model.safetensors").write_bytes(b"\x02" + b"\x00" * 7 + b"{}")


def _other_base(folder: Path, run: Any) -> None:
    run.record = {**run.record, "base_files": {"model.safetensors": "f" * 64}}


def _full(folder: Path, run: Any) -> None:
    run.method = "full"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_spoil_weights, "changed after training"), (_cut, "not whole"), (_pickle, "can hold code"),
        (_other_rank, "rank 8"), (_no_tensors, "no weights"), (_other_base, "not trained from the base"),
        (_full, "not of the kind"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_files_that_are_not_the_results_are_refused(spoil: Any, words: str, run: Any, training_dir: Path) -> None:
    spoil(training_dir / str(run.pk) / "result", run)
    with pytest.raises(RegistryRefused, match=words):
        register_version(run)
    assert not ModelVersion.objects.exists()
    assert not LanguageModel.objects.exists()


def test_a_model_that_a_provider_made_is_reached_as_it_was_trained(training_dir: Path, tenant: Any) -> None:
    from chatapp.language_models.keys import keys_of, seal_keys

    through = LanguageModel(
        tenant=tenant, slug="gpt", name="GPT", provider="openai", model="openai/gpt-small", source="added",
        api_base="http://provider.test/v1", context_window=16_000, max_output_tokens=900,
    )  # fmt: skip
    seal_keys(through, {"api_key": "k-1"})
    through.save()
    run = tuned_world.make_run(
        tenant, data=tuned_world.make_data(tenant), base=None, hosted_model="gpt-small",
        hosted={"entry": through.pk, "model": "ft:gpt-small:acme::1"},
    )  # fmt: skip
    run.trainer = "hosted"
    version = register_version(run)
    entry = version.language_model
    assert (entry.model, entry.api_base, entry.source) == (
        "openai/ft:gpt-small:acme::1", "http://provider.test/v1", "fine_tuned",
    )  # fmt: skip
    assert keys_of(entry) == {"api_key": "k-1"}
    assert entry.sealed != through.sealed
