from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from knowledge.errors import StoreBusy
from knowledge.stores.locking import tenant_lock

HOLDER = """
import sys
from pathlib import Path
from knowledge.stores.locking import tenant_lock
with tenant_lock(Path(sys.argv[1]), seconds=5):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_lock_excludes_threads(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with tenant_lock(tmp_path, seconds=20):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_lock_excludes_processes_and_dies_with_its_holder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreBusy), tenant_lock(tmp_path, seconds=0.05):
            pass
        holder.kill()
        holder.wait()
    with tenant_lock(tmp_path, seconds=1):
        pass


def test_lock_of_a_deleted_folder_is_not_mistaken_for_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "tenant"
    with tenant_lock(folder, seconds=1):
        (folder / "write.lock").unlink()
        folder.rmdir()
        with tenant_lock(folder, seconds=1):
            assert (folder / "write.lock").exists()
