from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import socket
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from chatapp.operations import bootstrap, checks, parts, product
from chatapp.operations.processes import Program
from chatapp.operations.redis_server import EmbeddedRedis, RedisMissing
from chatapp.operations.retrieval_times import FOLDER, empty_folder
from chatapp.operations.supervisor import StartFailed, Supervisor
from knowledge.stores.weaviate_at_hand import note_address
from knowledge.stores.weaviate_binary import WeaviateMissing, find_server, install_server

ENGINES = ("redis", "weaviate")
PATIENCE_SECONDS = 15


class Command(BaseCommand):
    help = "Start the whole product: broker, migrations, web, worker and beat, under one supervisor."
    requires_system_checks = ()  # they run after the migrations, and refuse in one sentence

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--only", choices=product.ROLES, help="Become this one process, on a machine whose engines run elsewhere."
        )
        parser.add_argument("--timings", action="store_true", help="Say how long each step of the start took.")

    def handle(self, *args: Any, only: str | None = None, timings: bool = False, **options: Any) -> None:
        logging.getLogger().setLevel(logging.WARNING)  # the console is for sentences; children log to files
        self._timings, self._step_began, self._began = timings, time.monotonic(), time.monotonic()
        data_dir = Path(settings.DATA_DIR)
        bootstrap.prepare_data_dir()
        self._said: list[str] = []
        if only:
            self._become(only)
        with self._only_one(data_dir / "serve.lock"):
            self._refuse_taken_port()
            supervisor = Supervisor(logs=data_dir / "logs", say=self._say)
            try:
                self._start(supervisor, data_dir)
                supervisor.run(ready=self._is_ready, on_ready=self._on_ready)
                self._say("Stopping ...")
            except (StartFailed, RedisMissing, WeaviateMissing) as error:
                raise CommandError(str(error)) from error
            except KeyboardInterrupt:
                self._say("Stopping ...")
            finally:
                supervisor.stop(last=ENGINES)
            self._say("Stopped.")

    # --- the steps of a start

    def _start(self, supervisor: Supervisor, data_dir: Path) -> None:
        environment = {**product.child_environment(), FOLDER: empty_folder(product.metrics_folder())}
        if settings.REDIS_EMBEDDED:
            self._start_redis(supervisor, data_dir, environment)
        if settings.STORE == "weaviate" and not settings.WEAVIATE_URL:
            self._start_weaviate(supervisor, data_dir, environment)
        self._refuse(checks.database_away() + checks.redis_away())
        self._migrate(data_dir)
        self._refuse(checks.reasons_to_refuse())
        self._done("checks")
        call_command("assets")
        self._done("assets")
        for program in product.programs(environment):  # before the bootstrap: they use the other core meanwhile
            supervisor.start(program)
        created = bootstrap.bootstrap(url=settings.PUBLIC_URL)
        self._done("bootstrap")
        if created:
            self._say(f"Sign in as {created.email} with the password {created.password}")
            self._say(f"API key: {created.api_key}")

    def _start_redis(self, supervisor: Supervisor, data_dir: Path, environment: dict[str, str]) -> None:
        redis = EmbeddedRedis(data_dir)
        redis.prepare()
        supervisor.start(
            Program(
                name="redis",
                command=redis.command(),
                environment=environment,
                directory=redis.folder,
                grace=5.0,
                on_orphaned=signal.SIGTERM,
            )
        )
        supervisor.wait_for(redis.answers, name="redis", timeout=30)
        # A sign of life that was written before a quick restart would make us ready too early.
        with parts.quick_redis() as client:
            client.delete(parts.WORKER_ALIVE)
        self._done("redis")

    def _start_weaviate(self, supervisor: Supervisor, data_dir: Path, environment: dict[str, str]) -> None:
        from knowledge.stores.weaviate_server import WeaviateServer

        binary = find_server(settings.WEAVIATE_SERVER_BIN)
        if binary is None:
            self._say("Building the Weaviate server with Go; this takes about three minutes, once.")
            binary = install_server()
        server = WeaviateServer(binary, data_dir / "weaviate")
        (data_dir / "weaviate").mkdir(mode=0o700, parents=True, exist_ok=True)
        supervisor.start(
            Program(
                name="weaviate", command=server.command(), environment=server.environment(),
                directory=data_dir / "weaviate", grace=5.0, on_orphaned=signal.SIGTERM,
            )
        )  # fmt: skip
        supervisor.wait_for(lambda: _answers(server.url), name="weaviate", timeout=90)
        environment.update(STORE="weaviate", WEAVIATE_URL=server.url, WEAVIATE_GRPC_PORT=str(server.grpc_port))
        settings.WEAVIATE_URL, settings.WEAVIATE_GRPC_PORT = server.url, server.grpc_port
        note_address(data_dir / "weaviate", url=server.url, grpc_port=server.grpc_port)
        self._done("weaviate")

    def _migrate(self, data_dir: Path) -> None:
        """Bring the database up to date; two starts over one folder never migrate at once."""
        with self._locked(data_dir / "migrate.lock", wait=True):
            if parts.pending_migrations():
                self._say("Preparing the database ...")
                call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        self._done("migrations")

    def _is_ready(self) -> bool:
        """Look, and say what a long start is waiting for: once, and again when that changes."""
        reasons = product.not_ready_because()
        if reasons and reasons != self._said and time.monotonic() - self._step_began > PATIENCE_SECONDS:
            self._said = reasons
            self._say("Not ready yet. " + " ".join(reasons))
        return not reasons

    def _on_ready(self) -> None:
        self._done("processes ready")
        took = time.monotonic() - self._began
        where = bootstrap.first_run_path()
        hint = f" - sign-in details are in {where}" if where.exists() else ""
        self._say(f"Footnote is ready at {settings.PUBLIC_URL}{hint}  ({took:.1f} s; Ctrl-C stops it)")

    # --- helpers

    def _become(self, role: str) -> None:
        """Turn into one role's process; migrations and engines are somebody else's work here."""
        refusals = checks.reasons_to_refuse()
        if refusals:
            raise CommandError("\n".join(refusals))
        command = product.command(role)
        os.chdir(settings.BASE_DIR)
        environment = {**product.child_environment(), FOLDER: empty_folder(product.metrics_folder(role))}
        os.execve(command[0], command, environment)  # noqa: S606 - our own command, no shell

    def _refuse(self, reasons: list[str]) -> None:
        if reasons:
            raise StartFailed("\n".join(reasons))

    def _only_one(self, path: Path) -> contextlib.AbstractContextManager[None]:
        return self._locked(path, wait=False)

    @contextlib.contextmanager
    def _locked(self, path: Path, *, wait: bool) -> Iterator[None]:
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise CommandError(
                    f"Footnote already runs over {settings.DATA_DIR}; stop it first, or set DATA_DIR elsewhere."
                ) from error
            yield

    def _refuse_taken_port(self) -> None:
        family = socket.AF_INET6 if ":" in settings.HOST else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.HOST, settings.PORT))
            except OSError as error:
                raise CommandError(
                    f"Cannot listen on {settings.HOST}:{settings.PORT} ({error.strerror}); "
                    "choose another port with PORT=..."
                ) from error

    def _done(self, step: str) -> None:
        now = time.monotonic()
        if self._timings:
            self._say(f"  {step}: {now - self._step_began:.2f} s")
        self._step_began = now

    def _say(self, text: str) -> None:
        # A console that was closed must not end the supervisor before it ended its children.
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.stdout.write(text)
            self.stdout.flush()


def _answers(url: str) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{url}/v1/.well-known/ready", timeout=2) as reply:  # noqa: S310 - our own server
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
