"""``python -m chatapp.finetuning.training.program JOB.json``: train one model and end.

What it does is told by lines of JSON in the job's progress file; whoever started it reads them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chatapp.finetuning.training.program.job import read_job
from chatapp.finetuning.training.program.process import confine

if __name__ == "__main__":
    job = read_job(Path(sys.argv[1]))
    confine(job)
    from chatapp.finetuning.training.program.running import run  # the imports of torch come after the limits

    sys.exit(run(job))
