"""System checks: what the operator opened to sources is understood at start, not at the first run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from knowledge.egress import BadAllowEntry, Rules
from knowledge.sources.folder import overlap
from knowledge.syncing.kinds import private_folders


@register("footnote_start")
def sources_configuration(app_configs: Sequence[Any] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the lists of addresses and folders."""
    found: list[CheckMessage] = []
    try:
        Rules.of(settings.EGRESS_ALLOW)
    except BadAllowEntry as error:
        found.append(Error(f"EGRESS_ALLOW cannot be used. {error}", id="knowledge.E007"))
    found += [
        Error(f"SOURCE_FOLDERS must name whole paths, not {folder!r}.", id="knowledge.E008")
        for folder in settings.SOURCE_FOLDERS
        if not Path(folder).expanduser().is_absolute()
    ]
    found += [
        Error(
            f"SOURCE_FOLDERS opens {folder!r}, which holds the product's own data ({private}) or lies in it.",
            hint="Open the folders beside it one by one, or move DATA_DIR.",
            id="knowledge.E009",
        )
        for folder in settings.SOURCE_FOLDERS
        for private in private_folders()
        if Path(folder).expanduser().is_absolute() and overlap(Path(folder).expanduser(), private)
    ]
    return found
