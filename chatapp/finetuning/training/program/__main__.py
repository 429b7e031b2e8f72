"""The trainer: ``python chatapp/finetuning/alone.py chatapp.finetuning.training.program JOB.json``."""

import sys
from pathlib import Path

from chatapp.finetuning.training.program.process import start

if __name__ == "__main__":
    sys.exit(start(Path(sys.argv[1])))
