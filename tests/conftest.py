"""What every test may use: settings over a private data folder, real parts, rows, the whole product.

The environment is set while this file is imported: Django reads it when its settings load, which is later.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent
# A folder for each process: the workers of xdist share nothing. Short, because a unix socket lies in it.
DATA_DIR = Path(os.environ.get("FOOTNOTE_TEST_DATA") or tempfile.mkdtemp(prefix="footnote-test-"))
PRODUCT_VARIABLES = (
    "LLM_MODEL",
    "LLM_API_BASE",
    "LLM_API_KEY",
    "EMBEDDING_MODEL",
    "RERANKER",
    "RERANK_MODEL",
    "RERANK_MODEL_DIR",
    "STORE",
    "WEAVIATE_URL",
    "REDIS_URL",
)

for _name in (*PRODUCT_VARIABLES, "DATABASE_URL", "PORT", "HOST", "PRODUCTION", "SECRET_KEY", "PUBLIC_URL"):
    os.environ.pop(_name, None)
# The rows of unit tests in another database: TEST_DATABASE_URL=postgres://... (its user must be allowed to create one).
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
for _folder in ("tmp", "static"):
    (DATA_DIR / _folder).mkdir(exist_ok=True)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # several test processes share the cores
os.environ.update(DATA_DIR=str(DATA_DIR), FOOTNOTE_TESTING="1", DJANGO_SETTINGS_MODULE="chatapp.settings")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give an xdist worker its folder before it starts: there pytest-django loads the settings first of all,
    with the environment it inherits."""
    own = tempfile.mkdtemp(prefix="footnote-test-")
    set_folder = f"import os; os.environ.update(DATA_DIR={own!r}, FOOTNOTE_TEST_DATA={own!r})"
    node.gateway.remote_exec(set_folder).waitclose()


def pytest_configure(config: pytest.Config) -> None:
    import django
    from django.conf import settings

    django.setup()
    # A third of a second for each person that a test makes; those that are about passwords set the product's own.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep what is there once all tests are collected out of every later search for garbage: a million objects that
    stay to the end, looked through again and again, would count as the time of whichever test makes many of its own."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(DATA_DIR, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests together that use one product, so that it can be stopped after them."""
    place: dict[str, int] = {}
    items.sort(key=lambda item: place.setdefault(_product_of(item), len(place)))


def _product_of(item: pytest.Item) -> str:
    if item.get_closest_marker("serial") is None:
        return ""
    if "e2e" in item.path.parts:
        return "browser"
    names = item.fixturenames if isinstance(item, pytest.Function) else ()
    if isinstance(item, pytest.Function) and "product" in names:
        return f"product {item.callspec.params.get('product', '')}"  # its store
    return "live" if "live_app" in names else item.path.stem


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop the products that no later test uses: each that idles takes time and memory from the others."""
    if nextitem is not None and _product_of(nextitem) != _product_of(item):
        while _products:
            _products.pop().stop()


_products: list[LiveApp] = []


# --- parts --------------------------------------------------------------------------------------


_crashed: set[str] = set()


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """Run a test once more whose process died under it: native code (vectors, index) does that once in some ten thousand
    tests, and says nothing of the test. One that dies again has failed; a test that fails is not run again."""
    if crashitem not in _crashed:
        _crashed.add(crashitem)
        sched.mark_test_pending(crashitem)
        report.outcome = "rerun"  # type: ignore[assignment]


@pytest.fixture(scope="session")
def missing_part() -> Callable[[str, str], NoReturn]:
    """Call with what is missing and the command that installs it: fails in CI, skips elsewhere."""

    def missing(what: str, command: str) -> NoReturn:
        message = f"{what} is missing; install it with: {command}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)

    return missing


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """A database for each process; with SQLite a file instead of shared memory, whose tables lock between threads."""
    from django.db import connection

    name = str(DATA_DIR / "test.sqlite3") if connection.vendor == "sqlite" else DATA_DIR.name.replace("-", "_")
    connection.settings_dict["TEST"]["NAME"] = name


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's, and at the end the sessions that threads of the product keep: PostgreSQL would refuse to drop
    the database under them."""
    yield
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            cursor.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


@pytest.fixture(scope="session")
def redis_session(missing_part: Callable[[str, str], NoReturn]) -> Iterator[Any]:
    from chatapp.operations.redis_server import EmbeddedRedis, RedisMissing

    server = EmbeddedRedis(DATA_DIR)
    try:
        server.start()
    except RedisMissing as error:
        missing_part(f"Redis ({error})", "apt-get install redis-server")
    yield server
    server.stop()


@pytest.fixture
def redis_server(redis_session: Any) -> Iterator[Any]:
    """The real Redis of the settings, empty at the start of each test."""
    import redis

    with redis.Redis(unix_socket_path=str(redis_session.socket)) as client:
        client.flushall()
    return redis_session


@pytest.fixture(scope="session")
def _scripted_session() -> Iterator[Any]:
    from scripted_model import ScriptedModel

    with ScriptedModel() as model:
        yield model


@pytest.fixture
def scripted_model(_scripted_session: Any) -> Any:
    """The scripted OpenAI-compatible server, its counters at zero."""
    _scripted_session.reset()
    return _scripted_session


# --- rows ---------------------------------------------------------------------------------------


@pytest.fixture
def tenant(db: None) -> Any:
    from knowledge.tenants.models import Tenant

    return Tenant.objects.create(slug="acme", name="Acme")


@pytest.fixture
def other_tenant(db: None) -> Any:
    from knowledge.tenants.models import Tenant

    return Tenant.objects.create(slug="globex", name="Globex")


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    """Call with an e-mail, and a tenant and role to make a membership too. The password is ``correct horse``."""
    from chatapp.accounts.services import create_user
    from knowledge.tenants.models import Membership

    def make(email: str, *, tenant: Any = None, role: str = "member") -> Any:
        user = create_user(email=email, password="correct horse")
        if tenant is not None:
            Membership.objects.create(tenant=tenant, user=user, role=role)
        return user

    return make


@pytest.fixture
def owner(make_user: Callable[..., Any], tenant: Any) -> Any:
    return make_user("owner@acme.test", tenant=tenant, role="owner")


@pytest.fixture
def member(make_user: Callable[..., Any], tenant: Any) -> Any:
    return make_user("member@acme.test", tenant=tenant, role="member")


@pytest.fixture
def api_key(owner: Any, tenant: Any) -> str:
    """The owner's key, as it goes behind ``Bearer``."""
    from chatapp.accounts.services import issue_api_key

    return issue_api_key(user=owner, tenant=tenant, name="test")[1]


# --- the whole product --------------------------------------------------------------------------


@dataclass
class LiveApp:
    """``manage.py serve`` as a child, on a free port and a data folder of its own."""

    data_dir: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    ready_seconds: float = 0.0
    _read: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def console(self) -> str:
        path = self.data_dir / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def first_run(self) -> dict[str, str]:
        content: dict[str, str] = json.loads((self.data_dir / "first-run.json").read_text())
        return content

    def start(self, *, limit: float = 120, until: str = "") -> LiveApp:
        """Start it and wait until it is ready, or until its console says ``until``."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ, "DATA_DIR": str(self.data_dir), "PORT": str(self.port), "HOST": "127.0.0.1", "FOOTNOTE_TESTING": "0",
            **self.environment,
        }  # fmt: skip
        if "DATABASE_URL" not in self.environment:
            environment.pop("DATABASE_URL", None)  # that of TEST_DATABASE_URL holds the rows of unit tests
        began, self._read = time.monotonic(), len(self.console)
        with (self.data_dir / "console.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--timings"],
                cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        while not (until in self.console if until else self._ready()):
            if self.process.poll() is not None or time.monotonic() - began > limit:
                self.stop()
                pytest.fail(f"The product did not start:\n{self.console[-3000:]}")
            time.sleep(0.1)
        self.ready_seconds = time.monotonic() - began
        return self

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Stop it and return how many seconds that took."""
        process, self.process = self.process, None
        if process is None:
            return 0.0
        began = time.monotonic()
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return time.monotonic() - began

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Call the API (paths below ``/api/v1`` are given without it) and return status and decoded JSON."""
        address = self.url + (path if path.startswith(("/healthz", "/readyz", "/metrics")) else f"/api/v1{path}")
        sent = {"Authorization": f"Bearer {key or self.first_run['api_key']}", **(headers or {})}
        data = body
        if body is not None and not isinstance(body, bytes):
            data, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(address, data=data, headers=sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                status, answer = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                status, answer = error.code, error.read()
        try:
            return status, json.loads(answer) if answer else None
        except ValueError:
            return status, answer

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as reply:
                return bool(reply.status == 200) and "Footnote is ready at" in self.console[self._read :]
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def live_app_factory() -> Iterator[Callable[..., LiveApp]]:
    """Call with settings as keywords to start another product; ``data_dir`` and ``port`` may be given to start one again."""
    folders: list[Path] = []

    def make(
        *, data_dir: Path | None = None, port: int | None = None, start: bool = True, **environment: str
    ) -> LiveApp:
        if data_dir is None:
            data_dir = Path(tempfile.mkdtemp(prefix="footnote-live-"))
            folders.append(data_dir)
        app = LiveApp(data_dir, port or free_port(), environment)
        _products.append(app)
        return app.start() if start else app

    yield make
    for app in _products:
        app.stop()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def live_app(live_app_factory: Callable[..., LiveApp]) -> LiveApp:
    """The whole product with its embedded defaults, started once a session. Mark such tests ``serial``."""
    return live_app_factory()
