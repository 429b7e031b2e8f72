"""N01: file names that are paths, options, code or no names at all. To a reader each is a label."""

from __future__ import annotations

import unicodedata

from hostile import Case, Ready

NFC, NFD = (unicodedata.normalize(form, "Überblick.txt") for form in ("NFC", "NFD"))
FILE_NAMES: dict[str, str] = {
    "300 characters": "n" * 296 + ".txt",
    "path upwards": "../../../../tmp/pwned.txt",
    "option": "-rf",
    "shell": "$(id).txt",
    "markup": "<img src=x onerror=alert(1)>.txt",
    "right to left": "evil\u202etxt.exe.txt",
    "device": "CON",
    "NFC": NFC,
    "NFD": NFD,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467.txt",
    "line end": "two\nlines\r.txt",
    "empty": "",
    "dots": "...",
    "NUL": "nul\0.txt",
    "lone surrogate": "\ud800.txt",
    "quotes": "\"';--.txt",
}

NAMES = tuple(
    Case(row="N01", name=name, label=label, make=lambda: b"named words", ready=Ready(whole="named words"))
    for label, name in FILE_NAMES.items()
)
