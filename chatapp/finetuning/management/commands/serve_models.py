from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from chatapp.finetuning.serving.host import Host
from knowledge.errors import StoreBusy
from knowledge.stores.locking import file_lock

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0


class Command(BaseCommand):
    help = "Look after the servers of local models until told to stop; `make run` starts this by itself."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        try:
            with file_lock(Path(settings.DATA_DIR) / "locks" / "serve-models", seconds=10):
                self._look_until(stop)
        except StoreBusy as error:
            raise CommandError("Another process looks after the model servers of this data folder already.") from error

    def _look_until(self, stop: threading.Event) -> None:
        host = Host()
        try:
            while not stop.is_set():
                close_old_connections()
                try:
                    host.look()
                except DatabaseError:  # it is away or busy; the servers go on meanwhile
                    logger.warning("The database did not answer; the model servers are looked at again", exc_info=True)
                stop.wait(EVERY_SECONDS)
        finally:
            host.close()
