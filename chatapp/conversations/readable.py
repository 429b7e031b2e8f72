"""An exported answer as a page that people read and a command checks: no scripts, nothing loaded from elsewhere.

The page is made from the export alone and holds it. Whoever checks it takes the export out, checks that, makes the
page anew and compares: what is shown can then be nothing else than what was recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from django.template.loader import render_to_string

from chatapp.answering import mode_of
from chatapp.answering.sentinels import strip_sentinels
from chatapp.conversations.audit import Finding
from chatapp.conversations.exports import checked_export, missing_parts

__all__ = ["FORM", "checked_page", "json_of_export", "page_of_export"]

FORM = "footnote-answer-page-1"
"""Raised whenever the template changes what it writes: pages of another form are not compared."""

HOLDS = "export"  # id of the element that holds the export


def json_of_export(data: Mapping[str, Any]) -> str:
    """Return what ``exports.export`` returned as a file for machines."""
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def page_of_export(data: Mapping[str, Any]) -> str:
    """Return the page of what ``exports.export`` returned."""
    record, texts = json.loads(data["entry"]["record"]), data["texts"]
    quotes = [{**kept, "quote": shown["quote"]} for kept, shown in _pairs(record, data, "citations")]
    answer = strip_sentinels(texts["answer"])
    sentences = [
        {
            **each,
            "text": answer[each["start"] : each["end"]].strip(),
            "quotes": [quote for quote in quotes if quote["sentence"] == each["index"]],
        }
        for each in data.get("sentences", ())
    ]
    passages = [
        {**kept, "title": shown["title"], "text": shown["text"]} for kept, shown in _pairs(record, data, "passages")
    ]
    context = {
        "form": FORM,
        "record": record,
        "label": mode_of(record.get("answer_mode", "")).label,
        "entry": {name: data["entry"][name] for name in ("sequence", "previous", "digest")},
        "missing": missing_parts(data),
        "texts": texts,
        "answer": answer,
        "sentences": sentences,
        "passages": sorted(passages, key=lambda row: (len(row["label"]), row["label"])),
        "facts": [(name, json.dumps(record[name], ensure_ascii=False)) for name in ("usage", "timings", "anomalies")],
        "export": json.dumps(data, ensure_ascii=True, indent=1, sort_keys=True),
        "holds": HOLDS,
    }
    return render_to_string("conversations/export.html", context)


def _pairs(record: Mapping[str, Any], data: Mapping[str, Any], kind: str) -> list[tuple[Any, Any]]:
    return list(zip(record[kind], data[kind], strict=True))


def checked_page(page: str) -> list[Finding]:
    """Check a page: the export in it against its digest, and what is shown against the export."""
    held = _Held()
    held.feed(page)
    held.close()
    try:
        data = json.loads("".join(held.text))
    except ValueError:
        return [Finding(True, "This is no exported answer.")]
    findings = checked_export(data)
    if any(finding.broken for finding in findings):
        return findings
    if held.form != FORM:
        words = f"The page has the form “{held.form[:60]}” of another release: what it shows was not compared"
        return [Finding(True, f"{words}. What it holds is as it was recorded.")]
    try:
        same = page_of_export(data) == page
    except (KeyError, TypeError, ValueError, AttributeError):
        same = False
    return findings if same else [Finding(True, "The page shows something else than the record that it holds.")]


class _Held(HTMLParser):
    """Takes the export and the form out of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.form = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "meta" and given.get("name") == "generator":
            self.form = given.get("content") or ""
        if tag == "pre" and given.get("id") == HOLDS:
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.text.append(data)
