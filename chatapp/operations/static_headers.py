"""Headers of static files. Settings import this module, so it must not import them."""

from __future__ import annotations

from collections.abc import MutableMapping

_POLICY = "default-src 'none'; script-src 'self'{wasm}; connect-src 'self'"


def add_headers(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """Give every static file a policy: a worker obeys that of its own file, not that of the page which starts it.

    Only the PDF worker may compile WebAssembly, which decodes pictures; nothing may evaluate text as code.
    """
    wasm = " 'wasm-unsafe-eval'" if "/pdf-worker-" in url else ""
    headers["Content-Security-Policy"] = _POLICY.format(wasm=wasm)
