"""What the server is told when it starts: a JSON file that its starter wrote for it alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Config"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """``token`` and ``ready`` are files (0600): the bearer token to ask for, and where address and process are told."""

    name: str  # what the base model is called in requests
    path: Path  # its folder
    files: Mapping[str, str]  # SHA-256 by file name, checked before loading
    folders: tuple[Path, ...]  # adapters and other weights are loaded from below these alone
    token: Path
    ready: Path
    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one
    waiting: int = 8  # requests that may wait for their turn
    threads: int = 0  # of the processor; 0: as the environment says
    device: str = ""  # cuda or cpu; empty: what there is
    dies_with_stdin: bool = True  # its starter holds the other end

    @classmethod
    def read(cls, path: Path) -> Config:
        """:raises ValueError: the file is not such a configuration."""
        given = json.loads(path.read_text(encoding="utf-8"))
        try:
            return cls(
                **{
                    **given,
                    "path": Path(given["path"]),
                    "folders": tuple(Path(folder).resolve() for folder in given["folders"]),
                    "token": Path(given["token"]),
                    "ready": Path(given["ready"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path.name} is not a server's configuration: {error}") from error
