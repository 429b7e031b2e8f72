"""Starts a program of this package in whatever environment: ``python alone.py MODULE ARGUMENTS...``.

Importing the package ``chatapp`` makes its Celery application, which an environment that only trains or serves models
may lack, and which those programs would load in vain. Here the package is only the folder that its modules are in.
"""

import runpy
import sys
import types
from pathlib import Path

__all__ = ["program"]

ROOT = Path(__file__).resolve().parents[2]


def program(module: str) -> tuple[str, str]:
    """Return what follows the interpreter to start a program of this package: a file and its argument."""
    return __file__, module


if __name__ == "__main__":
    package = types.ModuleType("chatapp")
    package.__path__ = [str(ROOT / "chatapp")]
    sys.modules["chatapp"] = package
    sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place) != Path(__file__).parent)]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
