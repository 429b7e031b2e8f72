"""Starts the trainer in whatever environment: ``python start.py JOB.json``.

Importing the package ``chatapp`` makes its Celery application, which an environment that only trains may lack. Here the
package is only the folder that its modules are found in.
"""

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]

if __name__ == "__main__":
    package = types.ModuleType("chatapp")
    package.__path__ = [str(ROOT / "chatapp")]
    sys.modules["chatapp"] = package
    sys.path.insert(0, str(ROOT))
    from chatapp.finetuning.training.program.process import start

    sys.exit(start(Path(sys.argv[1])))
