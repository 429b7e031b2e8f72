"""``manage.py evaluate retrieval SET...``: how well retrieval finds what labelled sets say is to be found.

``manage.py evaluate verification``: how well the verifier tells held statements from others.
``manage.py evaluate injected SET...``: what reaches the reader of a model that misbehaves.
``manage.py evaluate citations SET``: citation recall and precision of whole answers.
Other apps bring kinds of their own (``kinds``).
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from chatapp.answering.verification import Verifier, default_record
from chatapp.evaluation import answers, gate, groundedness, kinds, labelled, report, runner
from chatapp.evaluation.checking_cost import SENTENCES, cost
from chatapp.evaluation.corpus import build
from chatapp.evaluation.faults import injected
from chatapp.evaluation.labelled import LabelledSet, QuestionSet, UnusableSet
from chatapp.evaluation.runner import Settings
from chatapp.evaluation.stores import NAMES, open_store
from knowledge import wiring
from knowledge.chunking.plugins import UnknownChunker, chunker_of
from knowledge.errors import KnowledgeError

DATA = Path(settings.BASE_DIR).parent / "shared" / "data"
FAULTS_OF_A_KIND = 200
Chosen = dict[Path, list[QuestionSet]]


class Command(BaseCommand):
    help = "Measure retrieval, the check of sentences, and answers; all but labels and generations need no database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parsers = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
        add_retrieval(parsers.add_parser("retrieval", help="Passages found for questions whose gold spans are known."))
        add_verification(parsers.add_parser("verification", help="Statements whose sources hold them, or do not."))
        answers.add_injected(parsers.add_parser("injected", help="Answers with planted errors, on the whole path."))
        answers.add_citations(parsers.add_parser("citations", help="Citation recall and precision of answers (ALCE)."))
        for name, kind in kinds.brought().items():
            kind.add_arguments(parsers.add_parser(name, help=kind.HELP))

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["kind"] == "verification":
                self._verification(options["folder"], fit=options["fit"], faults=options["faults"])
            elif options["kind"] == "injected":
                folders = [_one(name, DATA)[0] for name in options["sets"]]
                missed = answers.injected(folders, out=self.stdout.write, say=self._say, **options)
                if missed:
                    self._missed(missed, gate=options["gate"])
            elif options["kind"] == "citations":
                answers.citations(_one(options["set"], DATA)[0], out=self.stdout.write, say=self._say, **options)
            elif options["kind"] in kinds.brought():
                kinds.brought()[options["kind"]].measure(out=self.stdout.write, **options)
            else:
                self._retrieval(**options)
        except (UnusableSet, gate.UnusableBaseline, runner.UnknownSetting, UnknownChunker) as error:
            raise CommandError(str(error)) from error
        except KnowledgeError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error

    def _retrieval(self, **options: Any) -> None:
        """Measure, print, write, compare. What can be refused is refused before the first question."""
        baseline = gate.read_baseline(options["baseline"]) if options["baseline"] else None
        if options["json"] and not options["json"].absolute().parent.is_dir():
            raise CommandError(f"There is no folder {options['json'].absolute().parent} to write the figures to.")
        chosen = choose(options["sets"], data=options["data"] or DATA)
        rewritten = labelled.read_rewritten(options["rewritten"]) if options["rewritten"] else {}
        sources = [
            (labelled.with_rewritten(labelled.load(folder), rewritten), questions)
            for folder, questions in chosen.items()
        ]
        chunker = options["chunker"] or settings.CHUNKER
        chunker_of(chunker)
        wanted = runner.without(runner.with_settings(Settings(), options["set"]), options["without"])
        found = report.Report(
            store=options["store"],
            embedding=_embedding(),
            settings=wanted,
            chunker=chunker,
            cached=options["cache"] is not None,
        )
        try:
            for measured in self._measure(sources, wanted, **{**options, "chunker": chunker}):
                found.measured.append(measured)
        except KeyboardInterrupt:
            self._say("Interrupted; this was measured so far:")
        for line in found.lines():
            self.stdout.write(line)
        if options["json"]:
            options["json"].write_text(json.dumps(found.as_json()) + "\n", encoding="utf-8")
        if baseline is not None:
            self._compare(baseline, found)

    def _verification(self, folder: Path | None, *, fit: Path | None, faults: Sequence[str]) -> None:
        sets = {name: labelled.load(_one(name, DATA)[0]) for name in faults}
        folder = folder or DATA / "groundedness"
        rows = groundedness.read_statements(folder)
        table = wiring.piece_table()
        if fit is None:
            record = default_record()
        else:
            if table is None:
                raise CommandError("The verifier is fitted with the word pieces of the stock embedding model.")
            date = timezone.localdate().isoformat()
            record = groundedness.fit_record(rows, table=table, data=folder.name, date=date)
            fit.write_text(json.dumps(record.as_json(), indent=1) + "\n", encoding="utf-8")
        self.stdout.write(f"{'':<36} statements  AUROC  balanced  held  others  F1 others  ms each")
        for name, q, spent in groundedness.compare(rows, table=table, record=record):
            self.stdout.write(
                f"{name:<36} {q.statements:>10}  {q.auroc:.3f}  {q.balanced_accuracy:>8.3f}  {q.held_found:.2f}"
                f"  {q.others_found:>6.2f}  {q.f1_others:>9.3f}  {spent:>7.1f}"
            )
        self.stdout.write(
            f"Record {record.verifier}: fitted on {record.fitted} statements of {record.data}, {record.date}; the table"
            " is of the half that it was not fitted on."
        )
        verifier = Verifier(table, record=record)
        whole = cost(rows, verifier=verifier)
        self.stdout.write(
            f"An answer of {SENTENCES} such sentences, ms p50/p95: {whole.known[0]:.0f}/{whole.known[1]:.0f} where its"
            f" sources were cited before, {whole.new[0]:.0f}/{whole.new[1]:.0f} where not; one sentence p95"
            f" {whole.sentence:.1f}."
        )
        for name, source in sets.items():
            self.stdout.write(f"Errors put into sentences of {name}, and how many are seen:")
            for kind in injected(source, verifier=verifier, most=FAULTS_OF_A_KIND):
                share = kind.flagged / max(1, kind.sentences)
                self.stdout.write(f"  {kind.kind:<20} {kind.sentences:>4}  {share:.3f}")

    def _measure(
        self, sources: Sequence[tuple[LabelledSet, Sequence[QuestionSet]]], wanted: Settings, **options: Any
    ) -> Iterator[runner.Measured]:
        with open_store(options["store"]) as store:
            for source, questions in sources:
                with build(
                    source, store=store, chunker=chunker_of(options["chunker"]), cache=options["cache"], say=self._say
                ) as corpus:
                    for asked in questions:
                        switched = runner.ablations(wanted, asked, corpus) if options["ablate"] else []
                        for each in [wanted, *switched]:
                            measured = runner.measure(corpus, asked, each, most=options["questions"])
                            self._say(f"{asked.name}, {each.name}: {measured.seconds:.0f} s")
                            yield measured

    def _compare(self, baseline: gate.Baseline, found: report.Report) -> None:
        compared = gate.compare(baseline, found.measured)
        for line in report.changes(compared):
            self.stdout.write(line)
        missing = {m.name for m in found.measured} - {change.name for change in compared}
        for name in sorted(missing):
            self.stdout.write(f"{name}: the baseline has no figures of it.")
        worse = [change.words() for change in compared if change.fell]
        if worse:
            raise CommandError("\n".join(worse), returncode=1)

    def _missed(self, words: Sequence[str], *, gate: bool) -> None:
        if gate:
            raise CommandError("\n".join(words), returncode=1)
        for line in words:
            self._say(line)

    def _say(self, words: str) -> None:
        self.stderr.write(words)


def add_retrieval(parser: ArgumentParser) -> None:
    parser.add_argument("sets", nargs="+", metavar="SET", help="a folder, the name of one below --data, or all")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of the sets; ../shared/data if not given")
    parser.add_argument("--store", choices=NAMES, default="lance", help="weaviate: WEAVIATE_URL, or one started here")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="remember vectors there: a second run takes seconds")
    parser.add_argument(
        "--chunker", metavar="CHUNKER", help="another than CHUNKER says, e.g. fixed:target=600,overlap=90"
    )
    parser.add_argument(
        "--questions", type=_positive, metavar="N", help="at most N of each kind of a set, evenly spread"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a retrieval setting, e.g. keyword_weight=0.4"
    )
    parser.add_argument(
        "--without", action="append", default=[], choices=sorted(runner.STAGES), help="leave a stage out"
    )
    parser.add_argument(
        "--rewritten", type=Path, metavar="FILE", help="what a language model made of the questions, by query_id"
    )
    parser.add_argument("--ablate", action="store_true", help="also measure without each stage in turn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures and every question's scores there")
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="an earlier --json; exit with 1 where a measure fell significantly",
    )


def add_verification(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="one with a statements.jsonl")
    parser.add_argument(
        "--faults", nargs="+", default=[], metavar="SET", help="also put errors into sentences of these sets"
    )
    parser.add_argument("--fit", type=Path, metavar="FILE", help="fit the verifier anew and write its record there")


def choose(names: Sequence[str], *, data: Path) -> Chosen:
    """Return the question sets to ask by folder. ``names`` are paths, folders below ``data``, question sets, ``all``.

    :raises UnusableSet: there is no such set.
    """
    chosen: Chosen = {}
    for name in names:
        if name == "all":
            folders = [path.parent for path in sorted(data.glob("*/qrels.jsonl"))] if data.is_dir() else []
            if not folders:
                raise UnusableSet(f"There are no labelled sets below {data}; --data names another folder.")
            found = [(folder, labelled.question_sets(folder.name)) for folder in folders]
        else:
            found = [_one(name, data)]
        for folder, questions in found:
            known = chosen.setdefault(folder, [])
            known += [q for q in questions if q not in known]
    return chosen


def _one(name: str, data: Path) -> tuple[Path, tuple[QuestionSet, ...]]:
    for asked in labelled.SETS:
        if name == asked.name and name != asked.folder:
            return data / asked.folder, (asked,)
    folder = data / name if (data / name).is_dir() else Path(name).resolve()
    if not folder.is_dir():
        raise UnusableSet(f"There is no set {name}, neither as a folder nor below {data}.")
    return folder, labelled.question_sets(folder.name)


def _embedding() -> str:
    spec = wiring.embedder().spec
    return f"{spec.model}, {spec.precision}"


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a number of at least 1")
    return int(text)
