"""A cross-encoder small enough to be made by a test: it counts the words that question and passage share.

The graph reads all three inputs as a real one does: ``token_type_ids`` tell question from passage, and the padding has
a weight of its own in the table, so that a wrong ``attention_mask`` shows in the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_tokenizer(path: Path, words: Sequence[str]) -> int:
    """Write a WordPiece tokenizer of whole words and return the size of its vocabulary."""
    from tokenizers import Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import WordPiece
    from tokenizers.processors import TemplateProcessing

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(word, vocabulary[word]) for word in ("[CLS]", "[SEP]")],
    )
    tokenizer.save(str(path))
    return len(vocabulary)


def write_model(path: Path, vocabulary: int, *, outputs: int = 1, types: bool = True, scale: float = 4.0) -> None:
    """Write the graph; its logit is ``scale * shared - scale / 2``. ``outputs`` 2 gives ``(0, logit)``."""
    from onnx import TensorProto, helper, numpy_helper

    table = np.eye(vocabulary, dtype=np.float32)
    table[1:4] = 0.0  # [UNK], [CLS] and [SEP] mean nothing; [PAD] would
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    nodes: list[Any] = []

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    node("Gather", ["table", "input_ids"], "pieces")
    node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    if types:
        node("Cast", ["token_type_ids"], "second", to=TensorProto.FLOAT)
    else:  # after the first separator comes the passage
        node("Equal", ["input_ids", "separator"], "ends")
        node("Cast", ["ends"], "ends_f", to=TensorProto.FLOAT)
        node("CumSum", ["ends_f", "axis"], "ended")
        node("Min", ["ended", "one"], "second")
    node("Mul", ["mask", "second"], "of_passage")
    node("Sub", ["mask", "of_passage"], "of_question")
    for part in ("passage", "question"):
        node("Unsqueeze", [f"of_{part}", "last"], f"wide_{part}")
        node("Mul", ["pieces", f"wide_{part}"], f"picked_{part}")
        node("ReduceMax", [f"picked_{part}", "axis"], part, keepdims=0)
    node("Mul", ["passage", "question"], "both")
    node("ReduceSum", ["both", "axis"], "shared", keepdims=1)
    node("Mul", ["shared", "scale"], "scaled")
    node("Sub", ["scaled", "half"], "logit")
    if outputs == 1:
        node("Identity", ["logit"], "logits")
    else:
        node("Sub", ["logit", "logit"], "zero")
        node("Concat", ["zero"] * (outputs - 1) + ["logit"], "logits", axis=1)
    constants = {
        "table": table, "separator": np.array([3], np.int64), "axis": np.array([1], np.int64),
        "last": np.array([2], np.int64), "one": np.array([1], np.float32), "scale": np.array([scale], np.float32),
        "half": np.array([scale / 2], np.float32),
    }  # fmt: skip
    used = {name for made in nodes for name in made.input}
    graph = helper.make_graph(
        nodes, "tiny_cross_encoder",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in names],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])],
        initializer=[numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
