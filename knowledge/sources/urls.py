"""One address for one page: what differs without meaning anything is taken away."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urljoin

from knowledge.egress import Target, parse_address
from knowledge.errors import AddressRefused

__all__ = ["Within", "alike", "canonical", "joined"]

_TRACKING: Final = re.compile(
    r"(?:utm_\w+|gclid|gbraid|wbraid|dclid|fbclid|msclkid|yclid|twclid|igshid|mc_[ce]id|_hs(?:enc|mi)|mkt_tok|"
    r"ref_src|s_cid|vero_id|oly_(?:anon|enc)_id|pk_(?:campaign|kwd|source)|phpsessid|jsessionid)",
    re.IGNORECASE,
)
_SESSION: Final = re.compile(r";jsessionid=[^/?]*", re.IGNORECASE)
_ENCODED: Final = re.compile(r"%([0-9a-fA-F]{2})")
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def canonical(target: Target) -> Target:
    """The same page without tracking and session parameters, with its percent-encoding in one form.

    The case of a path and a slash at its end stay: to servers they are other pages. ``alike`` tells such twins.
    """
    path, mark, query = target.path.partition("?")
    path = _SESSION.sub("", path)
    kept = [part for part in query.split("&") if part and not _TRACKING.fullmatch(part.partition("=")[0])]
    path = _without_dots(_ENCODED.sub(_decoded, path))
    return replace(target, path=path + (mark + "&".join(_ENCODED.sub(_decoded, part) for part in kept) if kept else ""))


def alike(target: Target) -> str:
    """What addresses share that may differ in case, a slash at the end, or the name of an index page only."""
    path, _, query = target.path.partition("?")
    folded = re.sub(r"/(?:index|default)\.(?:html?|php|aspx?)\Z", "/", path.casefold())
    return f"{target.netloc}{folded.rstrip('/')}?{query}"


def joined(base: Target, link: str) -> Target | None:
    """Where a link of a page leads, canonical; None when not to http(s) or when it is broken."""
    link = link.strip().replace(" ", "%20")
    scheme = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", link)
    if scheme and scheme[0].lower() not in ("http:", "https:"):
        return None
    try:
        return canonical(parse_address(urljoin(base.url, re.sub(r"[\t\r\n]", "", link))))
    except (AddressRefused, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Within:
    """The part of a site that a source takes: one host, below one path."""

    root: Target
    prefix: str  # a path that ends with a slash

    @classmethod
    def of(cls, root: Target, prefix: str = "") -> Within:
        """The folder of the start address, or the given path."""
        path = root.path.partition("?")[0]
        chosen = f"/{prefix.strip('/')}/" if prefix.strip("/") else "/" if prefix else path[: path.rfind("/") + 1]
        return cls(root, chosen)

    def admit(self, target: Target | None) -> Target | None:
        """The address when it lies within, with the scheme of the site; else None."""
        if target is None:
            return None
        usual = {target.port, self.root.port} <= {80, 443}
        if target.host != self.root.host or not (usual or target.port == self.root.port):
            return None
        if target.scheme != self.root.scheme:
            if not usual:
                return None
            target = replace(target, scheme=self.root.scheme, port=self.root.port)
        return target if target.path.partition("?")[0].startswith(self.prefix) or self._is_root(target) else None

    def _is_root(self, target: Target) -> bool:
        return target.path in (self.root.path, self.prefix.rstrip("/"))


def _decoded(match: re.Match[str]) -> str:
    letter = chr(int(match[1], 16))
    return letter if letter in _PLAIN else match[0].upper()


def _without_dots(path: str) -> str:
    """Resolve ``.`` and ``..``, also where they were percent-encoded."""
    if "/." not in path:
        return path
    kept: list[str] = []
    parts = path.split("/")[1:]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    return "/" + "/".join(kept) + ("/" if parts[-1] in (".", "..") and kept else "")
