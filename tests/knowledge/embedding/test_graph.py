from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from knowledge.embedding import LocalEmbedder
from knowledge.embedding.graph import WEIGHTS_FILE, build, describe, read_header
from knowledge.embedding.weights import GRAPH_FILE

Array = npt.NDArray[np.float32]

TEXTS = (
    "",
    "a",
    "The leave is twenty days a year.",
    "How many days of leave do I get?",
    "HOW MANY DAYS OF LEAVE DO I GET?",
    "Citations lead to the exact words they rest on.",
    "x = [i ** 2 for i in range(10)]  # squares",
    "Größe, Straße, naïve café, Ångström",
    "文档 and 質問 mixed with English",
    "مرحبا بالعالم",
    "🙂 👍🏽 emoji",
    "1234567890 3.14159 1e-9 $5,000.00",
    "antidisestablishmentarianism pneumonoultramicroscopic",
    "tab\tand\nnewline\r\nand\u00a0no-break space",
    "[CLS] [SEP] [MASK] written out",
    "?!.,;:-()[]{}<>/\\|@#%^&*_+=~`'\"",
    "A single long word: " + "a" * 150,
    "The quick brown fox jumps over the lazy dog. " * 6,
    "Patients received 5 mg daily; adverse events were recorded at weeks 2, 4 and 8. " * 3,
    "Everything past the two hundred and fifty-sixth word piece is cut away. " * 60,
)


# Interpolating between 200,001 exact values errs by less than float32 does, and millions of calls are spared.
ERF_AT = np.linspace(-6.0, 6.0, 200_001, dtype=np.float32)
ERF = np.array([math.erf(x) for x in ERF_AT], dtype=np.float32)


class NumpyMiniLM:
    """The oracle: BERT in plain numpy, written from its description, straight from the file."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        header, base = read_header(folder / WEIGHTS_FILE)
        data = (folder / WEIGHTS_FILE).read_bytes()
        self.weights = {
            name: np.frombuffer(data[base + e["data_offsets"][0] : base + e["data_offsets"][1]], np.float32).reshape(
                e["shape"]
            )
            for name, e in header.items()
            if e["dtype"] == "F32"
        }
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(256)
        self.tokenizer.no_padding()

    def embed(self, text: str) -> Array:
        pooled = self.hidden(text).mean(axis=0)
        unit: Array = pooled / np.linalg.norm(pooled)
        return unit

    def hidden(self, text: str) -> Array:
        ids = self.tokenizer.encode(text).ids
        w = self.weights
        hidden = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][0]
        hidden = self.norm(hidden + w["embeddings.position_embeddings.weight"][: len(ids)], "embeddings.LayerNorm")
        for layer in range(self.config["num_hidden_layers"]):
            hidden = self.layer(hidden, f"encoder.layer.{layer}")
        return hidden

    def layer(self, hidden: Array, prefix: str) -> Array:
        heads = self.config["num_attention_heads"]
        parts = [self.linear(hidden, f"{prefix}.attention.self.{name}") for name in ("query", "key", "value")]
        query, key, value = (p.reshape(len(hidden), heads, -1).transpose(1, 0, 2) for p in parts)
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        mixed = self.linear(mixed.transpose(1, 0, 2).reshape(len(hidden), -1), f"{prefix}.attention.output.dense")
        hidden = self.norm(hidden + mixed, f"{prefix}.attention.output.LayerNorm")
        inner = self.linear(hidden, f"{prefix}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.interp(inner / math.sqrt(2), ERF_AT, ERF).astype(np.float32))
        return self.norm(hidden + self.linear(inner, f"{prefix}.output.dense"), f"{prefix}.output.LayerNorm")

    def linear(self, source: Array, prefix: str) -> Array:
        result: Array = source @ self.weights[f"{prefix}.weight"].T + self.weights[f"{prefix}.bias"]
        return result

    def norm(self, source: Array, prefix: str) -> Array:
        centred = source - source.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.config["layer_norm_eps"])
        result: Array = scaled * self.weights[f"{prefix}.weight"] + self.weights[f"{prefix}.bias"]
        return result


@pytest.fixture(scope="module")
def reference(weights_folder: Path) -> Array:
    oracle = NumpyMiniLM(weights_folder)
    return np.stack([oracle.embed(text) for text in TEXTS])


def test_twenty_vectors_equal_those_of_the_oracle(reference: Array, local_embedder: LocalEmbedder) -> None:
    assert len(TEXTS) == 20
    assert np.abs(local_embedder.embed_passages(TEXTS) - reference).max() < 1e-5


def test_queries_equal_passages(reference: Array, local_embedder: LocalEmbedder) -> None:
    assert np.abs(local_embedder.embed_query(TEXTS[3]) - reference[3]).max() < 1e-5


def test_token_states_equal_those_of_the_oracle(local_embedder: LocalEmbedder, weights_folder: Path) -> None:
    oracle = NumpyMiniLM(weights_folder)
    vectors, tokens = local_embedder.embed_with_tokens(TEXTS)
    assert np.array_equal(vectors, local_embedder.embed_passages(TEXTS))
    for text, found in zip(TEXTS, tokens, strict=True):
        expected = oracle.hidden(text)[1:-1]  # without the special tokens
        assert found.states.shape == expected.shape
        assert found.spans.shape == (len(expected), 2)
        assert np.abs(found.states - expected).max(initial=0) < 1e-4


def test_token_spans_are_code_points_of_the_text(local_embedder: LocalEmbedder) -> None:
    text = "Ångström 🙂 parks"
    _, (tokens,) = local_embedder.embed_with_tokens([text])
    pieces = [text[start:end] for start, end in tokens.spans.tolist()]
    assert "".join(pieces) == text.replace(" ", "")
    assert "🙂" in pieces
    assert "parks" in pieces


def test_openvino_gives_the_same_vectors(reference: Array) -> None:
    pytest.importorskip("openvino", reason="pip install openvino")
    embedder = LocalEmbedder(backend="openvino", threads=2)
    assert np.abs(embedder.embed_passages(TEXTS) - reference).max() < 1e-5
    assert np.abs(embedder.embed_with_tokens(TEXTS)[0] - reference).max() < 1e-5


def test_committed_graph_is_what_the_builder_makes(weights_folder: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="pip install onnx")
    committed = GRAPH_FILE.read_bytes()
    built = build(weights_folder)
    assert onnx.load_from_string(built) == onnx.load_from_string(committed)
    assert len(committed) < 32_000


def test_committed_manifest_describes_the_installed_weights(weights_folder: Path) -> None:
    assert json.loads(GRAPH_FILE.with_suffix(".json").read_text()) == describe(weights_folder)


def test_weights_of_another_type_are_refused(weights_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="pip install onnx")
    (tmp_path / "config.json").write_text((weights_folder / "config.json").read_text())
    header, _ = read_header(weights_folder / WEIGHTS_FILE)
    header["embeddings.word_embeddings.weight"]["dtype"] = "F16"
    packed = json.dumps(header).encode()
    (tmp_path / WEIGHTS_FILE).write_bytes(len(packed).to_bytes(8, "little") + packed)
    with pytest.raises(ValueError, match="F16"):
        build(tmp_path)
