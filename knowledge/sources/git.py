"""Files of a branch of a Git repository, over https."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final
from urllib.parse import quote

from knowledge.egress import Rules, Target, resolve_target
from knowledge.errors import EgressError, SourceError, SourceItemFailed, SourceMisconfigured
from knowledge.sources.base import LONGEST_KEY, Fetched, Item, Option, Problem, SourceContext
from knowledge.sources.folder import allowed_folder
from knowledge.sources.git_repository import Entry, Remote, Repository
from knowledge.sources.patterns import PATTERN_OPTIONS, Patterns, is_readable
from knowledge.sources.values import Values
from knowledge.sources.web import address_of, rules_of
from knowledge.sources.words import megabytes, nothing_left, too_many

__all__ = ["GitSource"]

_NO_BRANCH: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")
_POINTER: Final = b"version https://git-lfs.github.com/spec/"


class GitSource:
    """Files by path; the fingerprint is the id that git gives to their bytes. Hidden files are skipped."""

    name: ClassVar[str] = "git"
    title: ClassVar[str] = "Git repository"
    options: ClassVar[tuple[Option, ...]] = (
        Option(name="url", label="Address", required=True, help="Such as https://example.org/team/handbook.git."),
        Option(name="branch", label="Branch", help="Empty: the default branch of the repository."),
        Option(name="folder", label="Only below this folder", help="Such as docs. Empty: the whole repository."),
        Option(name="user", label="User name", default="git", help="What the server expects beside a token."),
        Option(
            name="token", label="Token", kind="secret", help="For a private repository; one that may read is enough."
        ),
        *PATTERN_OPTIONS,
    )

    def __init__(self, values: Values, *, context: SourceContext) -> None:
        self._context = context
        self._rules = rules_of(context)
        self._branch = values.text("branch")
        if _NO_BRANCH.search(self._branch):
            raise SourceMisconfigured("“Branch” is not the name of a branch.")
        self._folder = values.text("folder").strip("/")
        if self._folder and any(part in ("", ".", "..") for part in self._folder.split("/")):
            raise SourceMisconfigured("“Only below this folder” is not a path of a repository.")
        self._user, self._token = values.text("user"), values.secret("token")
        self._patterns = Patterns(values.lines("include"), values.lines("exclude"))
        address = values.text("url")
        self._kept: Repository | None = None
        self._path: Path | None = None
        self._target: Target | None = None
        if address.startswith("/"):
            self._path = allowed_folder(address, roots=context.roots, private=context.private)
        elif re.match(r"[^/:]+:(?!//)", address) or address.startswith(("ssh:", "git:", "file:")):
            raise SourceMisconfigured("“Address” must be the https address of the repository.")
        else:
            self._target = address_of(address, label="Address")
            if self._target.scheme == "http" and self._token:
                raise SourceMisconfigured("A token is sent over https only. Change the address.")
        self.complete = False

    def check(self) -> list[str]:
        try:
            self._repository().probe(self._branch)
        except (EgressError, SourceError) as err:
            return [err.message]
        return []

    def items(self, known: Mapping[str, str]) -> Iterator[Item | Problem]:
        try:
            repository = self._repository()
            repository.update(self._branch)
            entries = list(repository.entries(self._folder))
        except (EgressError, SourceError) as err:
            yield Problem(key="", message=err.message)
            return
        listed, limit = 0, self._context.limits.items
        for entry in entries:
            found = self._offered(entry)
            if isinstance(found, Item) and listed == limit:
                yield too_many(limit)
                return
            if found is not None:
                listed += isinstance(found, Item)
                yield found
        if known and not listed:
            yield nothing_left("No file was found in the repository", len(known))
            return
        self.complete = True

    def fetch(self, item: Item) -> Fetched:
        try:
            data = self._read(item.fingerprint)
        except (EgressError, SourceError) as err:
            raise SourceItemFailed(err.message) from err
        if data.startswith(_POINTER):
            raise SourceItemFailed("Its bytes are kept in Git LFS, which is not read.")
        return Fetched(item=item, data=data)

    def _read(self, blob: str) -> bytes:
        """Read from the clone; where it lacks the file, as on another machine, bring it up to date first."""
        repository = self._repository()
        try:
            return repository.read(blob)
        except SourceError:
            repository.update(self._branch)
            return repository.read(blob)

    def _offered(self, entry: Entry) -> Item | Problem | None:
        try:
            path = entry.path.decode()
        except UnicodeDecodeError:
            return Problem(key=entry.path.decode(errors="replace"), message="Its name is not valid text. Rename it.")
        hidden = any(part.startswith(".") for part in path.split("/"))
        if hidden or not is_readable(path) or not self._patterns.takes(path):
            return None
        if len(path) > LONGEST_KEY:
            return Problem(key=path[:LONGEST_KEY], message=f"Its path is longer than {LONGEST_KEY:,} characters.")
        limit = self._context.limits.item_bytes
        if entry.size > limit:
            return Problem(
                key=path, message=f"The file has {megabytes(entry.size)}; at most {megabytes(limit)} are read."
            )
        return Item(key=path, filename=PurePosixPath(path).name, uri=self._uri(path), fingerprint=entry.blob)

    def _uri(self, path: str) -> str:
        """Where a person can open the file, at the hosts whose addresses are known."""
        if self._target is None or self._target.host not in ("github.com", "gitlab.com"):
            return ""
        inner = "/-/blob" if self._target.host == "gitlab.com" else "/blob"
        base = self._target.url.removesuffix("/").removesuffix(".git")
        return f"{base}{inner}/{quote(self._branch or 'HEAD')}/{quote(path)}"

    def _repository(self) -> Repository:
        """The clone; where its address leads is checked once, and holds for this run.

        :raises EgressError: it may not be reached, or its host is not known.
        """
        if self._kept is None:
            self._kept = Repository(self._context.work, self._remote(), self._context.limits)
        return self._kept

    def _remote(self) -> Remote:
        if self._target is None:
            return Remote(address=str(self._path), transport="file")
        target = self._target
        addresses = resolve_target(target, rules=self._rules, seconds=self._context.limits.seconds)
        if target.scheme == "http" and all(Rules().let_through(target, address) for address in addresses):
            raise SourceError("A repository is read over https. Change the address.")
        pinned = ",".join(f"[{address}]" if address.version == 6 else str(address) for address in addresses)
        return Remote(
            address=target.url,
            origin=f"{target.scheme}://{target.netloc}",
            transport=target.scheme,
            resolve="" if target.literal else f"{target.host}:{target.port}:{pinned}",
            user=self._user,
            token=self._token,
        )
