"""Where models may be called: LiteLLM makes the request, so the address is judged before it is handed over.

It is judged when it is entered and again at each call, since a name may lead elsewhere by then. Between that look-up
and LiteLLM's own a moment passes in which a hostile name server could answer differently: see docs/security.md.
"""

from __future__ import annotations

from django.conf import settings

from chatapp.language_models.errors import ModelMisconfigured
from knowledge.egress import Rules, Target, parse_address, resolve_target
from knowledge.errors import AddressRefused, AddressUnreachable, EgressError

__all__ = ["check_reachable", "checked_address", "rules"]

LOOK_UP_SECONDS = 3.0
LONGEST = 500
INSIDE = (
    "{netloc} is an internal address or uses an unusual port, which an organisation’s own models may not. "
    "Ask the operator to name it in MODEL_ADDRESSES, or to share the model with every organisation."
)


def checked_address(address: str, *, shared: bool) -> str:
    """Return the address as it is stored, without a slash at its end. Operators alone enter shared ones, anywhere.

    :raises ModelMisconfigured: it is none, or may not be reached from here.
    """
    try:
        target = parse_address(address.strip())
        if len(target.url) > LONGEST or "?" in target.path:
            raise AddressRefused(f"The address is longer than {LONGEST} characters or holds a question mark.")
        if not shared:
            _judge(target)
    except EgressError as err:
        raise ModelMisconfigured(err.message, field="api_base") from err
    return target.url.rstrip("/")


def check_reachable(address: str) -> None:
    """Judge the address of an organisation's own model before a call.

    :raises EgressError: it may not be reached, or its host is not known.
    """
    _judge(parse_address(address))


def rules() -> Rules:
    """Public addresses, and what the operator named for models or for sources.

    :raises BadAllowEntry: an entry means nothing.
    """
    return Rules.of([*settings.EGRESS_ALLOW, *settings.MODEL_ADDRESSES])


def _judge(target: Target) -> None:
    try:
        resolve_target(target, rules=rules(), seconds=LOOK_UP_SECONDS)
    except AddressUnreachable:
        raise
    except AddressRefused as err:
        raise AddressRefused(INSIDE.format(netloc=target.netloc)) from err
