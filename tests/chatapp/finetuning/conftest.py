from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def training_dir(settings: Any, tmp_path: Path) -> Path:
    settings.TRAINING_DIR = tmp_path / "training"
    return settings.TRAINING_DIR


@pytest.fixture
def make_version(training_dir: Path, tenant: Any) -> Callable[..., Any]:
    """Call to register what a finished run left; the same base and dataset by default, so that versions follow."""
    import tuned_world

    from chatapp.finetuning.registry.services import register_version

    base = tuned_world.make_base()

    def make(*, documents: Any = (), rows: int = 6, **more: Any) -> Any:
        data = tuned_world.make_data(more.pop("tenant", tenant), documents=documents, rows=rows)
        return register_version(tuned_world.make_run(data.dataset.tenant, data=data, base=base, **more))

    return make


@pytest.fixture
def admin(tenant: Any) -> Any:
    from knowledge.tenants.access import system_actor

    return system_actor(tenant)
