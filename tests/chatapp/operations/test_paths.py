from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from chatapp.operations.paths import SOCKET_PATH_BYTES, private_folder, redis_socket, write_private


def test_socket_lies_in_the_data_folder() -> None:
    assert redis_socket(Path("/srv/footnote")) == Path("/srv/footnote/redis/redis.sock")


def test_long_data_folder_gets_a_short_socket_of_its_own() -> None:
    one, other = Path("/srv") / ("a" * 200), Path("/srv") / ("b" * 200)
    assert len(os.fsencode(redis_socket(one))) <= SOCKET_PATH_BYTES
    assert redis_socket(one) == redis_socket(one) != redis_socket(other)
    assert str(os.getuid()) in redis_socket(one).parent.name


def test_length_is_counted_in_bytes_not_characters() -> None:
    folder = Path("/srv") / ("é" * 45)
    assert len(str(folder / "redis" / "redis.sock")) <= SOCKET_PATH_BYTES
    assert redis_socket(folder).parent.name.startswith("footnote-")


def test_private_folder_closes_an_open_one(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert stat.S_IMODE(private_folder(tmp_path / "open").stat().st_mode) == 0o700


def test_private_folder_refuses_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="not a folder of this user"):
        private_folder(tmp_path / "link")


def test_private_file_is_unreadable_for_others_and_leaves_no_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "first")
    write_private(path, "second")
    assert path.read_text() == "second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]
