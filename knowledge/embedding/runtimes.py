"""The two engines that run the graph on a processor, and the choice between them."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from knowledge.embedding.graph import WEIGHTS_FILE
from knowledge.embedding.tokens import Ids
from knowledge.types import Vector

Backend = Literal["auto", "onnxruntime", "openvino"]
Precision = Literal["exact", "fast"]


class Runtime(Protocol):
    budget: ClassVar[int]  # tokens per batch at which this engine is fastest
    multiple: ClassVar[int]  # lengths are padded to multiples of this

    def run(self, ids: Ids, mask: Ids) -> Vector:
        """Return ``(batch, dimension)`` float32. Thread-safe."""
        ...

    def run_with_tokens(self, ids: Ids, mask: Ids) -> tuple[Vector, Vector]:
        """Return the same and the last hidden states, ``(batch, length, dimension)`` float32. Thread-safe."""
        ...


def session_options(threads: int) -> Any:
    """Return the options every onnxruntime session here begins with; imports the engine."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin while they wait would take the processor from the neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class OnnxRuntime:
    budget: ClassVar[int] = 1024
    multiple: ClassVar[int] = 1

    def __init__(self, graph: Path, weights: Path, threads: int) -> None:
        import onnxruntime

        options = session_options(threads)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights))
        self._session = onnxruntime.InferenceSession(graph.read_bytes(), options, providers=["CPUExecutionProvider"])

    def run(self, ids: Ids, mask: Ids) -> Vector:
        vectors: Vector = self._session.run(["vectors"], {"ids": ids, "mask": mask})[0]
        return vectors

    def run_with_tokens(self, ids: Ids, mask: Ids) -> tuple[Vector, Vector]:
        vectors, tokens = self._session.run(["vectors", "tokens"], {"ids": ids, "mask": mask})
        return vectors, tokens


class OpenVino:
    budget: ClassVar[int] = 4096
    multiple: ClassVar[int] = 16  # it keeps a kernel for each shape it has seen

    def __init__(self, graph: Path, weights: Path, threads: int, precision: str) -> None:
        import openvino

        core = openvino.Core()
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        if precision == "float32":
            # Left alone it would choose bfloat16 also where that is slower than float32.
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        # It looks for the weights beside the graph and follows no symbolic link out of that folder; once
        # it has compiled, the folder is no longer needed.
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(graph, folder)
            _place(weights / WEIGHTS_FILE, Path(folder) / WEIGHTS_FILE)
            self._model = core.compile_model(core.read_model(str(Path(folder) / graph.name)), "CPU", settings)
        self._local = threading.local()

    def run(self, ids: Ids, mask: Ids) -> Vector:
        vectors: Vector = self._infer(ids, mask)["vectors"].copy()
        return vectors

    def run_with_tokens(self, ids: Ids, mask: Ids) -> tuple[Vector, Vector]:
        results = self._infer(ids, mask)
        return results["vectors"].copy(), results["tokens"].copy()

    def _infer(self, ids: Ids, mask: Ids) -> Any:
        request = getattr(self._local, "request", None)
        if request is None:  # a request holds its buffers, so each thread has its own
            request = self._local.request = self._model.create_infer_request()
        return request.infer({"ids": ids, "mask": mask})


def _place(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without links
        shutil.copy(source, target)


def choose(backend: Backend, precision: Precision) -> tuple[Literal["onnxruntime", "openvino"], str]:
    """Return the engine and the precision of its arithmetic, without loading anything.

    OpenVINO is worth its memory only with matrix instructions (5.6 times the reference there, 1.7 times
    elsewhere); bfloat16 below them is slower than float32.
    """
    matrix = precision == "fast" and has_matrix_instructions()
    if backend == "auto":
        backend = "openvino" if matrix and importlib.util.find_spec("openvino") else "onnxruntime"
    return backend, "bfloat16" if backend == "openvino" and matrix else "float32"


@functools.cache
def has_matrix_instructions() -> bool:
    """True on processors with ``amx_bf16`` (Xeon since Sapphire Rapids), as Linux reports it."""
    try:
        return " amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def load(
    engine: Literal["onnxruntime", "openvino"], precision: str, graph: Path, weights: Path, threads: int
) -> Runtime:
    if engine == "openvino":
        return OpenVino(graph, weights, threads, precision)
    return OnnxRuntime(graph, weights, threads)
