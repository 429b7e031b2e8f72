from __future__ import annotations

from django.apps import AppConfig


class ReaderConfig(AppConfig):
    """The pages over documents: the list with its uploads, and the reader."""

    name = "chatapp.reader"
    label = "reader"
    verbose_name = "Reader"
