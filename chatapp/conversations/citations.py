"""From the evidence of an answer to the citation rows that are stored: page and boxes included."""

from __future__ import annotations

import logging
from typing import Any

from chatapp.answering import Citation
from knowledge.documents import selectors
from knowledge.documents.models import DocumentVersion

logger = logging.getLogger(__name__)


def citation_row(citation: Citation) -> dict[str, Any]:
    """Return the fields of a stored citation; boxes are added by ``locate`` when it is stored."""
    return {
        "label": citation.label,
        "number": citation.number,
        "sentence": citation.sentence,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "page": citation.passage.page_first,
        "score": citation.score,
        "version_id": citation.passage.version_id,
    }


def locate(rows: list[dict[str, Any]]) -> None:
    """Put the page and the rectangles of the cited words on each row; a place that is not sure stays empty."""
    from knowledge.parsing.boxes import rects

    found: dict[str, Any] = {}
    for row in rows:
        version_id = row.pop("version_id")
        if row["page"] is None:
            row["boxes"] = []
            continue
        if version_id not in found:
            version = DocumentVersion.objects.select_related("document").filter(pk=version_id).first()
            found[version_id] = selectors.version_boxes(version) if version is not None else None
        boxes = found[version_id]
        row["boxes"] = [list(rect) for rect in rects(boxes, row["start"], row["end"])] if boxes is not None else []
        if row["boxes"]:
            row["page"] = row["boxes"][0][0]
