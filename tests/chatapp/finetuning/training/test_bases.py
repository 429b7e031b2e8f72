"""Base models: what is taken, what is refused and why, and that files are what was added."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from training_world import small_model, write_safetensors

from chatapp.finetuning.training import bases
from chatapp.finetuning.training.models import BaseModel
from chatapp.finetuning.training.weights import BaseRefused, facts_of, parameters_in
from knowledge.tenants.access import system_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_model(tmp_path / "small", window=512, values=100)


def test_a_folder_is_read_copied_and_hashed(model: Path, tenant: Any, settings: Any) -> None:
    (model / "notes.txt").write_text("not copied")
    base = bases.add_base(model, "  Small one ", tenant)
    assert (base.name, base.architecture, base.parameters, base.context_window) == (
        "Small one",
        "LlamaForCausalLM",
        100,
        512,
    )
    folder = bases.folder_of(base)
    assert folder.parent == settings.MODELS_DIR
    assert sorted(path.name for path in folder.iterdir()) == sorted(base.files)
    assert "notes.txt" not in base.files
    bases.check_files(base)
    assert bases.add_base(model, "Again", tenant).pk == base.pk


def test_the_same_model_for_two_organisations_is_two(model: Path, tenant: Any, other_tenant: Any) -> None:
    own, foreign, shared = (bases.add_base(model, "Small", whose) for whose in (tenant, other_tenant, None))
    assert len({own.path, foreign.path, shared.path}) == 3
    seen = set(bases.visible_bases(actor=system_actor(tenant)))
    assert seen == {own, shared}
    with pytest.raises(bases.BaseNotFound):
        bases.access_base(actor=system_actor(tenant), pk=foreign.pk)


def test_links_of_a_models_cache_are_followed_and_nothing_is_left_of_a_copy_cut_short(
    model: Path, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    blob = tmp_path / "blob"
    (model / "model.safetensors").rename(blob)
    (model / "model.safetensors").symlink_to(blob)
    with monkeypatch.context() as patched, pytest.raises(OSError):
        patched.setattr(bases.shutil, "copyfile", _full)
        bases.add_base(model, "Cut")
    assert list(Path(settings.MODELS_DIR).iterdir()) == []
    base = bases.add_base(model, "Linked")
    copied = bases.folder_of(base) / "model.safetensors"
    assert copied.is_file()
    assert not copied.is_symlink()


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_json(name: str, **values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        read = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**read, **values}))

    return change


def with_file(name: str, data: bytes = b"x") -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("config.json"), "config.json is missing"),
        (without("tokenizer.json"), "Without its tokenizer a model reads nothing"),
        (without("model.safetensors"), "There are no weights"),
        (with_file("pytorch_model.bin"), "pytorch_model.bin can hold code"),
        (with_file("modeling_own.py"), "modeling_own.py can hold code"),
        (with_json("config.json", auto_map={"AutoModel": "x.Y"}), "program code of the model's own"),
        (with_json("tokenizer_config.json", auto_map={}), "tokenizer_config.json asks for program code"),
        (with_json("tokenizer_config.json", chat_template=""), "has no chat template"),
        (with_json("config.json", architectures=[]), "does not name the architecture"),
        (with_json("config.json", max_position_embeddings="many"), "how many tokens the model reads"),
        (with_file("config.json", b"{" * 5000), "config.json cannot be read"),
        (
            with_file("model.safetensors.index.json", b'{"weight_map": {"w": "model-2.safetensors"}}'),
            "model-2.safetensors is missing",
        ),
    ],
    ids=[
        "config",
        "tokenizer",
        "weights",
        "pickle",
        "code",
        "auto-map",
        "tokenizer-code",
        "template",
        "architecture",
        "window",
        "deep",
        "shard",
    ],
)
def test_what_cannot_be_trained_from_is_refused_in_words(
    model: Path, change: Callable[[Path], None], said: str
) -> None:
    change(model)
    with pytest.raises(BaseRefused) as refused:
        bases.add_base(model, "Small")
    assert said in refused.value.message
    assert not BaseModel.objects.exists()


def test_a_header_that_lies_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for data in (
        struct.pack("<Q", 2**40) + b"{}",
        b"abc",
        b"",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"null",
    ):
        path.write_bytes(data)
        with pytest.raises(BaseRefused, match="is damaged, or is not what its name says"):
            parameters_in(path)
    write_safetensors(path, 8)
    assert parameters_in(path) == 8
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BaseRefused):
        parameters_in(path)


def test_a_file_that_changed_later_is_noticed(model: Path) -> None:
    base = bases.add_base(model, "Small")
    (bases.folder_of(base) / "tokenizer.json").write_text('{"other": 1}')
    with pytest.raises(BaseRefused, match="was changed since it was added"):
        bases.check_files(base)


def test_the_command_says_what_it_took(model: Path, capsys: pytest.CaptureFixture[str], tenant: Any) -> None:
    call_command("add_base_model", str(model), name="Small", tenant=tenant.slug)
    assert "Small: LlamaForCausalLM, 100 parameters, reads 512 tokens" in capsys.readouterr().out
    with pytest.raises(CommandError, match="is no folder"):
        call_command("add_base_model", str(model / "nowhere"), name="Small")
    with pytest.raises(CommandError, match="There is no organisation 'nobody'"):
        call_command("add_base_model", str(model), name="Small", tenant="nobody")
    assert facts_of(model).size == (model / "model.safetensors").stat().st_size
