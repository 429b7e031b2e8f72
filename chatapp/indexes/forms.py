"""What the page of indexes may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from chatapp.evaluation.labelled import UnusableSet
from chatapp.evaluation.question_files import Asked, read_questions
from knowledge import wiring
from knowledge.chunking.plugins import LONGEST, UnknownChunker, chunker_of
from knowledge.documents.indexes import overview

__all__ = ["KINDS", "BuildForm", "Kind", "QuestionsForm"]

LARGEST_FILE = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """A chunker as people choose it."""

    name: str
    label: str
    help: str


KINDS = (
    Kind("structural", "By structure", "Whole paragraphs, lists and tables, anew at each heading. Right for most."),
    Kind("recursive", "By paragraphs and sentences", "Knows blank lines and sentence ends, but no headings or tables."),
    Kind("fixed", "By length", "Pieces of one size, wherever that cuts; for texts without any structure."),
)

EMPTY_TARGET = 900
"""Characters of a passage where nothing is said, with each of them."""


class BuildForm(forms.Form):
    """A new index: the embedding model and how texts are cut."""

    embedding = forms.ChoiceField(label="Embedding model")
    kind = forms.ChoiceField(choices=[(kind.name, kind.label) for kind in KINDS], label="How texts are cut")
    target = forms.IntegerField(required=False, min_value=100, max_value=20_000, label="Size of a passage")
    overlap = forms.IntegerField(required=False, min_value=0, max_value=10_000, label="Overlap")
    more = forms.CharField(required=False, max_length=LONGEST, strip=True, label="More options")
    switch = forms.BooleanField(required=False, label="Use it as soon as it is built")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stock = wiring.LOCAL
        self.models = [
            (name, "Comes with Footnote (local)" if name == stock else name) for name in wiring.embedding_choices()
        ]
        self.fields["embedding"].choices = self.models  # type: ignore[attr-defined]

    @property
    def chunker(self) -> str:
        """The choice as ``CHUNKER`` would name it. Only of a form that is valid."""
        return str(self.cleaned_data["chunker"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "kind" not in data:
            return data
        given = [("target", data.get("target")), ("overlap", data.get("overlap"))]
        options = [f"{name}={value}" for name, value in given if value is not None]
        options += [part.strip() for part in data.get("more", "").split(",") if part.strip()]
        data["chunker"] = f"{data['kind']}:{','.join(options)}" if options else data["kind"]
        try:
            chunker_of(data["chunker"])
        except UnknownChunker as error:
            raise ValidationError(str(error)) from error
        return data

    def problem(self) -> str:
        """Return why the form is refused, in a sentence."""
        for name, errors in self.errors.items():
            label = "" if name == "__all__" else f"{self.fields[name].label}: "
            return f"{label}{errors[0]}"
        return ""


def filled() -> BuildForm:
    """Return the form with what the settings choose."""
    choice = overview.chosen()
    name, _, options = choice.chunker.partition(":")
    given = dict(part.partition("=")[::2] for part in options.split(",") if part)
    initial = {"embedding": choice.embedding, "kind": name, "target": given.pop("target", ""),
               "overlap": given.pop("overlap", ""), "more": ",".join(f"{k}={v}" for k, v in given.items())}  # fmt: skip
    return BuildForm(initial=initial)


class QuestionsForm(forms.Form):
    """Questions to compare on: a file, or none for those asked last."""

    file = forms.FileField(required=False, allow_empty_file=True)

    def clean_file(self) -> list[Asked] | None:
        upload = self.cleaned_data["file"]
        if upload is None:
            return None
        if upload.size > LARGEST_FILE:
            raise ValidationError("The file is larger than 2 MB.")
        try:
            return read_questions(upload.read(), name=upload.name or "The file")
        except UnusableSet as error:
            raise ValidationError(str(error)) from error
