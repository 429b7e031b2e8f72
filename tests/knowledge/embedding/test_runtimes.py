from __future__ import annotations

import importlib.util

import pytest

from knowledge.embedding import LocalEmbedder, runtimes


@pytest.mark.parametrize(
    ("backend", "precision", "matrix", "installed", "expected"),
    [
        ("auto", "exact", True, True, ("onnxruntime", "float32")),
        ("auto", "fast", True, True, ("openvino", "bfloat16")),
        ("auto", "fast", True, False, ("onnxruntime", "float32")),
        ("auto", "fast", False, True, ("onnxruntime", "float32")),
        ("openvino", "exact", True, True, ("openvino", "float32")),
        ("openvino", "fast", True, True, ("openvino", "bfloat16")),
        ("openvino", "fast", False, True, ("openvino", "float32")),
        ("onnxruntime", "fast", True, True, ("onnxruntime", "float32")),
    ],
)
def test_engine_and_precision_follow_the_processor(
    monkeypatch: pytest.MonkeyPatch,
    backend: runtimes.Backend,
    precision: runtimes.Precision,
    matrix: bool,
    installed: bool,
    expected: tuple[str, str],
) -> None:
    monkeypatch.setattr(runtimes, "has_matrix_instructions", lambda: matrix)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    assert runtimes.choose(backend, precision) == expected


def test_spec_states_the_precision_in_use(monkeypatch: pytest.MonkeyPatch, weights_folder: object) -> None:
    monkeypatch.setattr(runtimes, "choose", lambda *_: ("openvino", "bfloat16"))
    fast = LocalEmbedder(precision="fast", weights_dir=weights_folder)  # type: ignore[arg-type]
    exact = LocalEmbedder.__new__(LocalEmbedder)
    monkeypatch.undo()
    exact.__init__(weights_dir=weights_folder)  # type: ignore[misc, arg-type]
    assert fast.spec.precision == "bfloat16"
    assert exact.spec.precision == "float32"
    assert fast.spec.space == exact.spec.space  # close enough to share an index: cosine 0.9999
