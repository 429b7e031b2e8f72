"""The programs the product consists of, and the environment they share."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from django.conf import settings

from chatapp.finetuning.serving.extra import can_serve
from chatapp.finetuning.training import extra
from chatapp.operations.processes import SUPERVISED, Program

ROLES = ("web", "worker", "trainer", "models", "beat")
TRAINING = "training"


def child_environment() -> dict[str, str]:
    """Return this process's environment with the settings that every child must share."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "chatapp.settings",
        "DATA_DIR": str(settings.DATA_DIR),
        "HOST": settings.HOST,
        "PORT": str(settings.PORT),
        "PYTHONUNBUFFERED": "1",
        SUPERVISED: "1",
        # One thread a process: several processes share the cores, and more threads only wait for each other.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "1"),
        "TOKENIZERS_PARALLELISM": "false",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        # SIGTERM then means Celery's soft shutdown: a few seconds to finish, the rest goes back to the queue.
        "REMAP_SIGTERM": "SIGQUIT",
        # The supervisor ran the checks; in each Celery process they would import every address (a second).
        "CELERY_SKIP_CHECKS": "1",
    }


def metrics_folder(role: str = "") -> Path:
    """Return where the processes of a supervisor, or those of one role on a machine of its own, count together."""
    return Path(settings.DATA_DIR) / "metrics" / (f"{socket.gethostname()}-{role}" if role else "product")


def command(role: str) -> list[str]:
    """Return the command line of a role.

    :raises KeyError: no such role.
    """
    celery = [sys.executable, "-m", "celery", "--app", "chatapp.celery"]
    quiet = ["--without-gossip", "--without-mingle"]  # mingle waits a second for workers that are not there
    return {
        "web": [sys.executable, "-m", "uvicorn", "chatapp.asgi:application", *_web_options()],
        "worker": [*celery, "worker", *_taking(_worker_queues(), settings.WORKER_CONCURRENCY), *quiet],
        "trainer": [*celery, "worker", *_taking([TRAINING], 1), "--hostname", "trainer@%h", *quiet],
        "models": [sys.executable, "manage.py", "serve_models"],
        "beat": [*celery, "beat", "--loglevel", "INFO", "--pidfile", ""],
    }[role]


def _taking(queues: Iterable[str], processes: int) -> list[str]:
    return ["-Q", ",".join(queues), "--concurrency", str(processes), "--loglevel", "INFO"]


def _worker_queues() -> list[str]:
    """Return what the worker takes from: not from the queue whose tasks last for hours where another one does."""
    return [queue for queue in settings.WORKER_QUEUES if queue != TRAINING or not extra.installed()]


def roles() -> list[str]:
    """Return the processes that this installation consists of; without the extra `train` nobody trains, and where
    there can be no models nobody serves them."""
    there = {"trainer": extra.installed, "models": can_serve}
    return [role for role in ROLES if role not in there or there[role]()]


def _web_options() -> list[str]:
    options = {
        "host": settings.HOST,
        "port": str(settings.PORT),
        "workers": str(settings.WEB_WORKERS),
        "ws": "websockets-sansio",
        "ws-max-size": str(2 * 1024 * 1024),
        "ws-per-message-deflate": "false",  # frames are small; packing each would only take time
        "timeout-graceful-shutdown": "5",
        "loop": "uvloop",
        "http": "httptools",
        "lifespan": "auto",
    }
    forwarded = ["--proxy-headers"] if settings.SECURE_PROXY_SSL_HEADER else ["--no-proxy-headers"]
    return [
        *(part for name, value in options.items() for part in (f"--{name}", value)),
        "--no-access-log", "--no-server-header", *forwarded,
    ]  # fmt: skip


def programs(environment: Mapping[str, str]) -> list[Program]:
    """Return every process; those that nobody waits for at a start let the others go first where the processor is
    short."""
    return [
        Program(
            name=role, command=command(role), environment=environment, directory=Path(settings.BASE_DIR),
            niceness=10 if role in ("beat", "trainer", "models") else 0,
        )
        for role in roles()
    ]  # fmt: skip


def not_ready_because() -> list[str]:
    """Ask the web process over HTTP; return one sentence for each part that does not work yet, none when all do."""
    connection = http.client.HTTPConnection(probe_address(), settings.PORT, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": _allowed_host()})
        reply = connection.getresponse()
        if reply.status == 200:
            return []
        parts = json.loads(reply.read())["parts"]
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return ["web: it does not answer yet."]
    finally:
        connection.close()
    return [f"{name}: {part['detail']}" for name, part in parts.items() if not part["ok"]]


def probe_address() -> str:
    """Return where this machine reaches its own server, also when it listens on every address."""
    host: str = settings.HOST
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104


def _allowed_host() -> str:
    first = next((host for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")
    return str(first).lstrip(".")
