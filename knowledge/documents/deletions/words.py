"""What a deletion report says in a sentence, on its page, in the API and on the command line."""

from __future__ import annotations

from knowledge.documents.deletions import reports
from knowledge.documents.models import DeletionReport

__all__ = ["headline"]

KEPT = "What answers quoted is kept until it is erased."


def headline(report: DeletionReport) -> str:
    """Return in a sentence what became of it, and what comes next."""
    match DeletionReport.State(report.state):
        case DeletionReport.State.DONE:
            return _gone(report)
        case DeletionReport.State.WAITING:
            return "Its rows, records and files are gone. The next purge takes its last bytes off the disk."
        case DeletionReport.State.FAILED:
            return report.error
    return "No search finds it any more. A worker is removing its records, files and rows."


def _gone(report: DeletionReport) -> str:
    said = _held(report)
    learnt = ", ".join(f"{entry['name']} ({entry['after']})" for entry in reports.learnt_of(report))
    return f"{said} What was made from it cannot forget it: {learnt}." if learnt else said


def _held(report: DeletionReport) -> str:
    kept = not report.erased and any(entry["place"] == "answers" and entry["after"] for entry in report.places)
    if fading := reports.fading_of(report):
        places = ", ".join(f"{entry['name']} ({entry['after']})" for entry in fading)
        said = f"Gone from here; copies that end by themselves remain: {places}."
        return f"{said} {KEPT}" if kept else said
    return f"Documents, index and files hold nothing of it. {KEPT}" if kept else "No place holds any text of it."
