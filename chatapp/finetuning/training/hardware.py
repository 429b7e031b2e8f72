"""What this machine has to train with, asked without torch."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass

import psutil

__all__ = ["Machine", "machine"]

KEEP_SECONDS = 60.0
CORE_FLOPS = 2.0e10
"""What a core was seen to do in 32 bit (a few of its peak): an estimate, and called one."""
GPU_FLOPS = (("H200", 3.5e14), ("H100", 3.5e14), ("A100", 1.4e14), ("L40", 9e13), ("4090", 7e13), ("3090", 3.5e13),
             ("A10", 5e13), ("L4", 4e13), ("V100", 5e13), ("T4", 2e13))  # fmt: skip
OTHER_GPU_FLOPS = 2.5e13


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """``memory`` is that of the GPU where there is one, else what is free here. Bytes."""

    name: str
    gpu: bool
    memory: int
    flops: float  # a second, as training reaches them


_seen: tuple[float, Machine] | None = None


def machine() -> Machine:
    """Return what there is to train with; asked once a minute at most."""
    global _seen
    if _seen is None or time.monotonic() - _seen[0] > KEEP_SECONDS:
        _seen = (time.monotonic(), _gpu() or _processor())
    return _seen[1]


def _processor() -> Machine:
    cores = os.cpu_count() or 1
    return Machine(
        name=f"{cores} processor core{'s' if cores != 1 else ''}", gpu=False,
        memory=int(psutil.virtual_memory().available), flops=CORE_FLOPS * max(1, cores // 2),
    )  # fmt: skip


def _gpu() -> Machine | None:
    try:
        asked = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603
        name, _, megabytes = done.stdout.splitlines()[0].rpartition(",")
        memory = int(megabytes) * 1024 * 1024
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None
    flops = next((speed for sign, speed in GPU_FLOPS if sign in name), OTHER_GPU_FLOPS)
    return Machine(name=name.strip(), gpu=True, memory=memory, flops=flops)
