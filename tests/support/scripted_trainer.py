"""A trainer that does as a test says, in place of the one that needs torch. It is started like that one.

``write(folder, acts)`` makes a program for the setting TRAINING_PYTHON. An act is a line for the progress file, or
``{"do": "hang" | "exit" | "wait_for_stop" | "result", ...}``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BODY = """#!{python} -sS
import fcntl, hashlib, json, os, signal, sys, time
job = json.load(open(sys.argv[-1]))
folder = job["folder"]
lock = open(folder + "/lock", "a+")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
lock.truncate(0); lock.write(str(os.getpid())); lock.flush()
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
open(folder + "/environment.json", "w").write(json.dumps(dict(os.environ)))
progress = open(job["progress"], "a")
def say(line):
    progress.write(json.dumps({{"seconds": 1.0, **line}}) + "\\n"); progress.flush()
for act in json.loads({acts!r}):
    do = act.get("do")
    if do == "hang":
        while True: time.sleep(60)
    elif do == "exit":
        sys.exit(act.get("status", 0))
    elif do == "wait_for_stop":
        while not stopped: time.sleep(0.02)
        say({{"event": "stopped", "step": act.get("step", 1)}})
    elif do == "result":
        os.makedirs(folder + "/result", exist_ok=True)
        data = act["weights"].encode()
        open(folder + "/result/adapter_model.safetensors", "wb").write(data)
        open(folder + "/result/adapter_config.json", "w").write('{{"r": 4}}')
        digest = hashlib.sha256(data).hexdigest()
        json.dump({{**job["about"], "result": {{"digest": act.get("digest", digest)}}, "base_files": job["files"], "metrics": {{"steps": 9}}}}, open(folder + "/record.json", "w"))
        say({{"event": "done", "digest": digest}})
    else:
        say(act)
"""


def write(folder: Path, acts: list[dict[str, Any]]) -> str:
    """Make the program and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "trainer"
    path.write_text(BODY.format(python=sys.executable, acts=json.dumps(acts)))
    path.chmod(0o700)
    return str(path)
