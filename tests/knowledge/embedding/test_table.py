"""Vectors of word pieces that are read from the weights: those that the model itself begins with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge.embedding import LocalEmbedder
from knowledge.embedding.table import PieceTable
from knowledge.errors import EmbeddingFailed

TEXT = "The otter sleeps at noon; herons don't."


def test_pieces_are_those_of_the_model_and_have_its_dimension() -> None:
    (table,) = PieceTable().states([TEXT])
    _, (model,) = LocalEmbedder().embed_with_tokens([TEXT])
    assert table.spans.tolist() == model.spans.tolist()
    assert table.states.shape == model.states.shape
    assert table.states.dtype == np.float32
    assert np.isfinite(table.states).all()


def test_a_piece_depends_on_its_place_and_not_on_its_neighbours() -> None:
    one, two, moved = PieceTable().states(["otter sleeps", "otter swims", "an otter"])
    assert np.array_equal(one.states[0], two.states[0])
    near = one.states[0] @ moved.states[1] / np.linalg.norm(one.states[0]) / np.linalg.norm(moved.states[1])
    assert 0.8 < near < 0.9999


def test_the_first_layer_of_the_model_is_given_just_these() -> None:
    """The graph is cut behind its first normalisation."""
    onnx = pytest.importorskip("onnx")
    import onnxruntime

    from knowledge.embedding import weights
    from knowledge.embedding.runtimes import session_options
    from knowledge.embedding.tokens import WordPieces

    folder = weights.find_weights(None)
    model = onnx.load(str(weights.GRAPH_FILE), load_external_data=False)
    first = next(node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization")
    model.graph.output.append(onnx.helper.make_tensor_value_info(first, onnx.TensorProto.FLOAT, None))
    options = session_options(1)
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ids = np.array(WordPieces(folder / "tokenizer.json", 256).encode([TEXT]))
    (states,) = session.run([first], {"ids": ids, "mask": np.ones_like(ids)})
    (table,) = PieceTable().states([TEXT])
    assert np.abs(states[0, 1:-1] - table.states).max() < 1e-5


def test_what_there_is_nothing_of_is_empty_and_long_texts_are_cut() -> None:
    empty, long = PieceTable().states(["", "otter " * 400])
    assert empty.states.shape == (0, 384)
    assert len(long.states) == 254  # two places are those of the special pieces
    assert PieceTable().states([]) == []


def test_missing_and_damaged_weights_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingFailed, match="lacks"):
        PieceTable(tmp_path).states([TEXT])
