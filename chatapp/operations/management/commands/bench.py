from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatapp.operations.bench import (
    corpus,
    currency,
    first_token,
    ingest,
    learning,
    memory,
    parsing,
    product,
    quality,
    retrieval,
    switching,
)  # fmt: skip
from chatapp.operations.bench.client import Client, Unexpected, sign_in, socket_headers
from chatapp.operations.bench.report import Report

MODEL = "scripted-ok"
DOCUMENTS = 65  # of five passages each: 325
ROUNDS = {1: 40, 8: 12, 32: 6}
QUICK_ROUNDS = {1: 15, 8: 4, 32: 2}
QUICK_QUESTIONS = 40
CHANGES = {"documents": 736, "changes": 100, "questions": 500}
QUICK_CHANGES = {"documents": 60, "changes": 12, "questions": 80}
SWITCHED = 1_000  # documents of five passages: 5,000
QUICK_SWITCHED = 60
OTHER_EMBEDDING = "hosted_vllm/scripted-embed"


class Command(BaseCommand):
    help = "Measure a product of its own over an empty folder: start, memory, ingestion, first token, searches."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quick", action="store_true", help="Fewer rounds and questions.")
        parser.add_argument("--data", type=Path, help="Evaluation sets; ../shared/data where that is there.")
        parser.add_argument("--no-data", action="store_true", help="Leave retrieval quality out.")
        parser.add_argument("--parsing", action="store_true", help="Measure only the parsers; starts no product.")
        parser.add_argument("--retrieval", action="store_true", help="Measure only searches of large knowledge bases.")
        parser.add_argument(
            "--changes", action="store_true", help="Measure only how answers follow changes and switches of the index."
        )
        parser.add_argument(
            "--training", action="store_true", help="Measure only what training a small model teaches it (extra train)."
        )
        parser.add_argument("--chunks", type=int, nargs="+", help="Sizes of the large knowledge bases.")
        parser.add_argument(
            "--keep", type=Path, metavar="FOLDER", help="Keep the large bases, or use those kept there."
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="Write the figures there too.")

    def handle(self, *args: Any, **options: Any) -> None:
        data = options["data"] or Path(settings.BASE_DIR).parent / "shared" / "data"
        if options["data"] and not data.is_dir():
            raise CommandError(f"There is no folder {data}.")
        report = Report(machine=_machine())
        there = None if options["no_data"] or not data.is_dir() else data
        try:
            if options["training"]:
                self._training(report, quick=options["quick"], data=there)
            elif options["changes"]:
                self._changes(report, quick=options["quick"])
            else:
                self._all(report, options, there)
        except (product.StartFailed, Unexpected) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._say("Interrupted; this was measured so far:")
        for line in report.lines():
            self.stdout.write(line)
        text = json.dumps(report.as_json(), indent=2)
        if options["json"]:
            options["json"].write_text(text + "\n", encoding="utf-8")
        else:
            self.stdout.write(text)

    def _all(self, report: Report, options: dict[str, Any], data: Path | None) -> None:
        if not (options["parsing"] or options["retrieval"]):
            self._measure(report, quick=options["quick"], data=data)
        if not options["retrieval"]:
            report.parsing = parsing.measure(data / "office" if data else None, say=self._say)
        if not options["parsing"]:
            self._searches(report, options)

    def _training(self, report: Report, *, quick: bool, data: Path | None) -> None:
        with product.data_folder() as folder:
            running = product.Product(folder, product.free_port(), {"API_REQUESTS_PER_MINUTE": "1000000"})
            there = data / "finetune" if data and (data / "finetune").is_dir() else None
            try:
                running.start()
                report.learning = learning.measure(
                    running.client(), folder, instructions=there, say=self._say, quick=quick
                )
            finally:
                running.stop()

    def _measure(self, report: Report, *, quick: bool, data: Path | None) -> None:
        with product.data_folder() as folder, product.scripted_model() as model_url:
            environment = {
                "LLM_MODEL": f"openai/{MODEL}", "LLM_API_BASE": model_url, "LLM_API_KEY": "scripted",
                "SOCKETS_PER_USER": "100", "API_REQUESTS_PER_MINUTE": "1000000",
            }  # fmt: skip
            running = product.Product(folder, product.free_port(), environment)
            try:
                self._starts(report, running)
                client = running.client()
                base = self._speed(report, client, quick=quick)
                self._first_token(report, running, client, base, model_url, quick=quick)
                assert running.process is not None
                report.busy = memory.memory_of(running.process.pid)
                if data is not None:
                    self._quality(report, client, data, quick=quick)
            finally:
                running.stop()

    def _changes(self, report: Report, *, quick: bool) -> None:
        with product.data_folder() as folder, product.scripted_model() as model_url:
            environment = {
                "API_REQUESTS_PER_MINUTE": "1000000", "EMBEDDING_ADDRESSES": f"{OTHER_EMBEDDING}={model_url}",
                "HOSTED_VLLM_API_KEY": "scripted",
            }  # fmt: skip
            running = product.Product(folder, product.free_port(), environment)
            try:
                running.start()
                client, sizes = running.client(), QUICK_CHANGES if quick else CHANGES
                report.currency = currency.measure(client, **sizes, say=self._say)
                report.switching = switching.measure(
                    client, documents=QUICK_SWITCHED if quick else SWITCHED, embedding=OTHER_EMBEDDING, say=self._say
                )
            finally:
                running.stop()

    def _starts(self, report: Report, running: product.Product) -> None:
        self._say("Starting twice ...")
        report.first_start_seconds = round(running.start(), 2)
        report.stop_seconds = round(running.stop(), 2)
        report.second_start_seconds = round(running.start(), 2)
        assert running.process is not None
        report.idle = memory.memory_of(running.process.pid)

    def _speed(self, report: Report, client: Client, *, quick: bool) -> str:
        self._say("Ingesting ...")
        warm = client.knowledge_base("warm")
        client.ingest(warm, corpus.documents(4, first=DOCUMENTS))  # every worker process loads its model
        base = client.knowledge_base("bench")
        files = corpus.documents(DOCUMENTS)
        report.ingest = ingest.ingest_speed(client, base, files, processes=settings.WORKER_CONCURRENCY)
        client.ask(corpus.fact(0).question, [base])  # both web processes may still import LiteLLM
        report.search_ms = ingest.search_latency(client, base, searches=40 if quick else 150)
        return base

    def _first_token(
        self, report: Report, running: product.Product, client: Client, base: str, model_url: str, *, quick: bool
    ) -> None:
        first = running.first_run
        cookie = sign_in(url=running.url, email=first["email"], password=first["password"])
        prompt = client.call("GET", f"/runs/{client.ask(corpus.fact(1).question, [base])['run']}")["prompt"]
        ask = _questions()
        for at_once, rounds in (QUICK_ROUNDS if quick else ROUNDS).items():
            self._say(f"Asking {at_once} at once ...")
            report.first_token.append(
                asyncio.run(
                    first_token.measure(
                        url=running.url, headers=socket_headers(url=running.url, cookie=cookie), base=base,
                        question=ask, model_url=model_url, model=MODEL, prompt=prompt, at_once=at_once, rounds=rounds,
                    )
                )
            )  # fmt: skip
        report.first_token_parts = _parts(client, base, questions=10)

    def _quality(self, report: Report, client: Client, data: Path, *, quick: bool) -> None:
        library = quality.Library(client, data)
        for chosen in quality.SETS:
            if (data / chosen.folder / "queries.jsonl").is_file():
                self._say(f"Asking the questions of {chosen.name} ...")
                found = library.measure(chosen, most=QUICK_QUESTIONS if quick else None)
                report.quality.append(found)
                self._say(f"  hit@1/5/10 {found.hit1}/{found.hit5}/{found.hit10}, MRR {found.mrr}")

    def _searches(self, report: Report, options: dict[str, Any]) -> None:
        quick = options["quick"]
        report.searched = retrieval.measure(
            options["chunks"] or (retrieval.QUICK_SIZES if quick else retrieval.SIZES),
            searches=retrieval.QUICK_SEARCHES if quick else retrieval.SEARCHES, keep=options["keep"], say=self._say,
        )  # fmt: skip

    def _say(self, words: str) -> None:
        self.stderr.write(words)


def _questions() -> Callable[[], str]:
    numbers: Iterator[int] = count()
    return lambda: corpus.fact(next(numbers) % (DOCUMENTS * corpus.SECTIONS)).question


def _parts(client: Client, base: str, *, questions: int) -> dict[str, float]:
    """Return the median of each mark that the runs themselves recorded (milliseconds)."""
    timings = []
    for number in range(questions):
        run = client.ask(corpus.fact(number + 7).question, [base])["run"]
        timings.append(client.call("GET", f"/runs/{run}")["timings"])
    return {name: round(statistics.median(t[name] for t in timings if name in t), 1) for name in timings[0]}


def _machine() -> dict[str, Any]:
    load = os.getloadavg()[0]
    return {"cores": os.cpu_count() or 0, "Python": platform.python_version(), "load before": round(load, 1)}
