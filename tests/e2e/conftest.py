"""A product with a scripted model, and a real Chromium that notes everything suspicious a page does."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP-VIOLATION ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.serial)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the operator opened to sources."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def site(live_app_factory: Callable[..., Any], _scripted_session: Any, shared: Path) -> Any:
    """A product of its own whose model is the scripted one that cites what it is given."""
    return live_app_factory(
        start=False, LLM_MODEL="openai/scripted-cite", LLM_API_BASE=_scripted_session.url, LLM_API_KEY="scripted",
        SOURCE_FOLDERS=str(shared),
    ).start(limit=240)  # fmt: skip


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go; E2E_PICTURES keeps them."""
    kept = os.environ.get("E2E_PICTURES")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium(missing_part: Callable[[str, str], NoReturn]) -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing_part("Chromium", "apt-get install chromium")
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A signed-in window, and what it did that no page of ours may do."""

    url: str
    page: Any
    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        """Note what a page says and asks for."""
        page.on("console", lambda message: self._said(message))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def _said(self, message: Any) -> None:
        if "CSP-VIOLATION" in message.text or "Content Security Policy" in message.text:
            self.violations.append(message.text)
        elif message.type == "error":
            self.errors.append(f"{message.text} {message.location.get('url', '')}")

    def _asked(self, address: str) -> None:
        own = (f"{self.url}/", f"ws{self.url.removeprefix('http')}/", "data:", "blob:", "about:")
        if not address.startswith(own):
            self.foreign.append(address)

    def sign_in(self, *, email: str, password: str) -> None:
        self.page.goto(f"{self.url}/accounts/login/")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.url}/")

    def ask(self, question: str) -> Any:
        """Ask in the open chat and return the last answer's element, which may still be growing."""
        answers = self.page.locator(".message.answer")
        before = answers.count()
        self.page.get_by_label("Your question", exact=True).and_(self.page.locator("textarea")).fill(question)
        self.page.get_by_role("button", name="Send").click()
        answers.nth(before).wait_for()
        return answers.nth(before)

    def settled(self, answer: Any, *, limit: float = 60) -> str:
        """Wait until an answer is over, its trace has come, and return how it ended."""
        from playwright.sync_api import expect

        expect(answer).to_have_attribute("data-state", re.compile("."), timeout=1000 * limit)
        answer.locator(".answer-bar .bar-model").wait_for(timeout=1000 * limit)  # drawn when the trace has come
        return str(answer.get_attribute("data-state"))


@pytest.fixture(scope="session")
def signed_in(chromium: Any, site: Any) -> Any:
    """The cookies of one sign-in for all windows: more in a short time are refused, as they should be."""
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    first = site.first_run
    Visit(site.url, context.new_page()).sign_in(email=first["email"], password=first["password"])
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(chromium: Any, site: Any, signed_in: Any) -> Iterator[Callable[..., Visit]]:
    """Call to open a signed-in window; afterwards no window may have broken the rules of its page."""
    contexts: list[Any] = []
    visits: list[Visit] = []

    def open_window(**options: Any) -> Visit:
        context = chromium.new_context(storage_state=signed_in, **options)
        context.set_default_timeout(60_000)
        context.add_init_script(WATCH)
        contexts.append(context)
        found = Visit(site.url, context.new_page())
        found.watch(found.page)
        visits.append(found)
        found.page.goto(f"{site.url}/")
        return found

    yield open_window
    for context in contexts:
        context.close()
    for found in visits:
        assert found.violations == []
        assert found.foreign == []
        assert found.errors == []


@pytest.fixture(autouse=True)
def script(_scripted_session: Any) -> Any:
    """The scripted model, as its name says until a test gives it other words."""
    _scripted_session.reset()
    return _scripted_session
