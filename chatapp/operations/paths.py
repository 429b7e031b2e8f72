"""Where the files of a running product lie. Pure: settings call it, so no Django in here."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

# The kernel's limit for the address of a unix socket: 108 bytes on Linux, 104 elsewhere, with the final NUL.
SOCKET_PATH_BYTES = 103


def redis_socket(data_dir: Path) -> Path:
    """Return the socket of the embedded Redis: in the data folder, or in a short private one when that is too long."""
    near = data_dir / "redis" / "redis.sock"
    if len(os.fsencode(near)) <= SOCKET_PATH_BYTES:
        return near
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"footnote-{os.getuid()}-{digest}" / "redis.sock"


def private_folder(path: Path) -> Path:
    """Create a folder that only this user may enter.

    :raises PermissionError: something else is there: a link, a file, or the folder of another user.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{path} is not a folder of this user; remove it or set DATA_DIR elsewhere.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
