from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chatapp.operations import assets

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_javascript(name: str) -> None:
    if not (assets.FRONTEND / "node_modules" / ".footnote-lock").is_file():
        message = "The packages of the front end are missing; install them with: python manage.py assets"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    node = assets.find_node()
    done = subprocess.run([node.node, "--test", name], cwd=HERE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
