"""The database as a migration finds it, for tests of what the migration makes of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

Target = list[tuple[str, str]]


def migrate(target: Target) -> Any:
    """Migrate to the target and return its models."""
    executor = MigrationExecutor(connection)
    executor.migrate(target)
    return executor.loader.project_state(target).apps


def models_at(target: Target) -> Any:
    """Return a fixture of the models as they were; afterwards the database is as new again."""

    @pytest.fixture
    def before() -> Iterator[Any]:
        yield migrate(target)
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())

    return before
