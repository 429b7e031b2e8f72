"""Load the model, listen, and say where."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from pathlib import Path

from chatapp.finetuning.artifacts import BadArtifact
from chatapp.finetuning.serving.program.config import Config

logger = logging.getLogger("footnote.models")


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    # Whatever a library would look up is here already, or it is not wanted.
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        config = Config.read(Path(arguments[0]))
        if config.dies_with_stdin:
            threading.Thread(target=_end_with_starter, daemon=True).start()
        return _serve(config)
    except (BadArtifact, ValueError, OSError) as error:
        logger.error("%s", error)
        return 2


def _end_with_starter() -> None:
    """End when the process that started this one is gone, however it went: the pipe then has no other end."""
    while os.read(0, 4096):  # not sys.stdin: this thread would hold its lock when the process ends otherwise
        pass
    os._exit(0)


def _serve(config: Config) -> int:
    from chatapp.finetuning.serving.program import weights

    weights.check_base(config.path, config.files)
    if config.threads:
        os.environ["OMP_NUM_THREADS"] = str(config.threads)
    import uvicorn

    from chatapp.finetuning.serving.program.app import App
    from chatapp.finetuning.serving.program.engine import Engine
    from chatapp.finetuning.serving.program.turns import Turns

    engine = Engine(name=config.name, path=config.path, device=config.device, folders=config.folders)
    app = App(engine, Turns(waiting=config.waiting), token=config.token.read_text(encoding="utf-8").strip())
    listener = socket.create_server((config.host, config.port))
    _tell(config.ready, listener.getsockname()[1])
    logger.info("Serving %s on %s", config.name, engine.device)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
    )
    server.run(sockets=[listener])
    return 0


def _tell(path: Path, port: int) -> None:
    """Write where to reach this server, whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"port": port, "pid": os.getpid()}), encoding="utf-8")
    new.chmod(0o600)
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
