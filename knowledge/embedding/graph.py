"""The ONNX graph of a BERT sentence embedder, without weights.

Every weight is an external tensor that points into ``model.safetensors`` by byte offset, so the graph
of all-MiniLM-L6-v2 takes 24 kB and no second copy of the 91 MB exists. Building it needs the ``onnx``
package (a development dependency); running it does not. ``python -m knowledge.embedding.graph FOLDER``
writes ``minilm.onnx`` and ``minilm.json`` beside this file again.

Input ``ids`` and ``mask`` are ``(batch, length)`` int64. Output ``vectors`` is ``(batch, hidden)`` float32, rows
L2-normalised: the mean over the mask, whose division cancels under the normalisation. Output ``tokens`` is
``(batch, length, hidden)`` float32, the last hidden states it is the mean of.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
OPSET = 20  # the first with Gelu
IR_VERSION = 10
MASKED = -10000.0  # added to attention scores of padding; exp() of it is 0 in every precision


def read_header(weights: Path) -> tuple[dict[str, Any], int]:
    """Return the JSON header of a safetensors file and the offset at which its data begins."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return header, 8 + length


def build(folder: Path) -> bytes:
    """Return the serialised graph for the BERT weights and ``config.json`` of a folder."""
    config = json.loads((folder / "config.json").read_text())
    header, base = read_header(folder / WEIGHTS_FILE)
    return _Builder(config, header, base).model()


class _Builder:
    """Collects nodes and initialisers; the methods follow the layers of BERT."""

    def __init__(self, config: Mapping[str, Any], header: Mapping[str, Any], base: int) -> None:
        from onnx import helper

        self._helper = helper
        self._config, self._header, self._base = config, header, base
        self._nodes: list[Any] = []
        self._tensors: dict[str, Any] = {}

    def model(self) -> bytes:
        from onnx import TensorProto

        helper = self._helper
        hidden = self._embeddings()
        for layer in range(self._config["num_hidden_layers"]):
            hidden = self._layer(hidden, f"encoder.layer.{layer}")
        self._node("Identity", [hidden], output="tokens")
        self._pool(hidden)
        shape = ["batch", "length"]
        graph = helper.make_graph(
            self._nodes,
            "sentence_embedder",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("ids", "mask")],
            [
                helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", self._config["hidden_size"]]),
                helper.make_tensor_value_info("tokens", TensorProto.FLOAT, [*shape, self._config["hidden_size"]]),
            ],
            initializer=list(self._tensors.values()),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="footnote")
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised

    def _embeddings(self) -> str:
        words = self._node("Gather", [self._weight("embeddings.word_embeddings.weight"), "ids"])
        length = self._node("Shape", ["ids"], start=1, end=2)
        zero, one = self._constant("zero", [0]), self._constant("one", [1])
        table = self._weight("embeddings.position_embeddings.weight")
        positions = self._node("Slice", [table, zero, length, zero, one])
        types = self._node("Slice", [self._weight("embeddings.token_type_embeddings.weight"), zero, one, zero, one])
        total = self._node("Add", [self._node("Add", [words, positions]), types])
        return self._normalise(total, "embeddings.LayerNorm")

    def _layer(self, hidden: str, prefix: str) -> str:
        attended = self._attention(hidden, f"{prefix}.attention.self")
        attended = self._linear(attended, f"{prefix}.attention.output.dense")
        hidden = self._normalise(self._node("Add", [attended, hidden]), f"{prefix}.attention.output.LayerNorm")
        inner = self._node("Gelu", [self._linear(hidden, f"{prefix}.intermediate.dense")])
        inner = self._linear(inner, f"{prefix}.output.dense")
        return self._normalise(self._node("Add", [inner, hidden]), f"{prefix}.output.LayerNorm")

    def _attention(self, hidden: str, prefix: str) -> str:
        heads = self._config["num_attention_heads"]
        size = self._config["hidden_size"] // heads
        split = self._constant("split", [0, 0, heads, size])

        def heads_of(name: str, perm: Sequence[int]) -> str:
            reshaped = self._node("Reshape", [self._linear(hidden, f"{prefix}.{name}"), split])
            return self._node("Transpose", [reshaped], perm=perm)

        query, key = heads_of("query", [0, 2, 1, 3]), heads_of("key", [0, 2, 3, 1])
        scale = self._constant("scale", [size**-0.5])
        scores = self._node("Mul", [self._node("MatMul", [query, key]), scale])
        weights = self._node("Softmax", [self._node("Add", [scores, self._mask_bias()])], axis=-1)
        mixed = self._node("MatMul", [weights, heads_of("value", [0, 2, 1, 3])])
        joined = self._node("Transpose", [mixed], perm=[0, 2, 1, 3])
        return self._node("Reshape", [joined, self._constant("join", [0, 0, self._config["hidden_size"]])])

    def _mask_bias(self) -> str:
        """``(batch, 1, 1, length)``: 0 where a token is, ``MASKED`` where padding is. Made once."""
        if not any("mask_bias" in node.output for node in self._nodes):
            present = self._cast_mask()
            absent = self._node("Sub", [self._constant("one_f", [1.0]), present])
            wide = self._node("Unsqueeze", [absent, self._constant("axes_12", [1, 2])])
            self._node("Mul", [wide, self._constant("masked", [MASKED])], output="mask_bias")
        return "mask_bias"

    def _cast_mask(self) -> str:
        from onnx import TensorProto

        if not any("mask_f" in node.output for node in self._nodes):
            self._node("Cast", ["mask"], output="mask_f", to=TensorProto.FLOAT)
        return "mask_f"

    def _pool(self, hidden: str) -> None:
        row = self._node("Unsqueeze", [self._cast_mask(), self._constant("one", [1])])
        total = self._node("Squeeze", [self._node("MatMul", [row, hidden]), self._constant("one", [1])])
        self._node("LpNormalization", [total], output="vectors", axis=-1, p=2)

    def _linear(self, source: str, prefix: str) -> str:
        # Stored as (out, in); the runtimes fold the transposition when they load the graph.
        weight = self._node("Transpose", [self._weight(f"{prefix}.weight")], perm=[1, 0])
        return self._node("Add", [self._node("MatMul", [source, weight]), self._weight(f"{prefix}.bias")])

    def _normalise(self, source: str, prefix: str) -> str:
        weights = [self._weight(f"{prefix}.weight"), self._weight(f"{prefix}.bias")]
        return self._node("LayerNormalization", [source, *weights], axis=-1, epsilon=self._config["layer_norm_eps"])

    def _node(self, kind: str, inputs: Sequence[str], *, output: str | None = None, **attributes: Any) -> str:
        name = output or f"n{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, name: str, values: Sequence[float]) -> str:
        from onnx import TensorProto

        if name not in self._tensors:
            kind = TensorProto.INT64 if all(isinstance(value, int) for value in values) else TensorProto.FLOAT
            self._tensors[name] = self._helper.make_tensor(name, kind, [len(values)], values)
        return name

    def _weight(self, name: str) -> str:
        from onnx import TensorProto

        if name not in self._tensors:
            entry = self._header[name]
            if entry["dtype"] != "F32":
                raise ValueError(f"{name} is stored as {entry['dtype']}, only F32 is read")
            start, end = entry["data_offsets"]
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=entry["shape"])
            tensor.data_location = TensorProto.EXTERNAL
            place = {"location": WEIGHTS_FILE, "offset": str(self._base + start), "length": str(end - start)}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=value)
            self._tensors[name] = tensor
        return name


def describe(folder: Path) -> dict[str, Any]:
    """Return what ``minilm.json`` records: which files the graph belongs to, and how they are used."""
    config = json.loads((folder / "config.json").read_text())
    limits = json.loads((folder / "sentence_bert_config.json").read_text())
    weights = (folder / WEIGHTS_FILE).read_bytes()
    return {
        "model": "sentence-transformers/all-MiniLM-L6-v2",
        "dimension": config["hidden_size"],
        "max_tokens": limits["max_seq_length"],
        "size": len(weights),
        "sha256": hashlib.sha256(weights).hexdigest(),
        "tokenizer_sha256": hashlib.sha256((folder / TOKENIZER_FILE).read_bytes()).hexdigest(),
    }


if __name__ == "__main__":
    here = Path(__file__).parent
    source_folder = Path(sys.argv[1])
    (here / "minilm.onnx").write_bytes(build(source_folder))
    (here / "minilm.json").write_text(json.dumps(describe(source_folder), indent=2) + "\n")
