from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in ("LITELLM_MODE", "LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOG", "OPENAI_API_KEY"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_package_is_imported_without_litellm(tmp_path: Path) -> None:
    code = (
        "import sys, knowledge.llm\n"
        "knowledge.llm.register_local_provider('x', None)\n"
        "assert not {'litellm', 'openai', 'httpx', 'aiohttp'} & set(sys.modules)"
    )
    assert python(code, tmp_path).returncode == 0


def test_litellm_reads_no_env_file_sends_nothing_and_says_nothing(tmp_path: Path) -> None:
    """Every connection attempt and name look-up during the import would be recorded by the audit hook."""
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-the-file\n")
    code = (
        "import os, sys\n"
        "network = []\n"
        "sys.addaudithook(lambda event, args: event in ('socket.connect', 'socket.getaddrinfo') and network.append(args))\n"
        "from knowledge import llm\n"
        "llm.warm_up()\n"
        "import litellm\n"
        "assert 'OPENAI_API_KEY' not in os.environ\n"
        "assert not network, network\n"
        "assert litellm.telemetry is False and litellm.drop_params is True\n"
        "assert len(litellm.model_cost) > 1000\n"
    )
    finished = python(code, tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == ""
    assert finished.stderr == ""
