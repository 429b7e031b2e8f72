"""What a server is given in place of text."""

from __future__ import annotations

import pytest

from knowledge.errors import StoreError
from knowledge.stores.sealing import Seal

TENANT, OTHER, KEY = "tenant-a", "tenant-b", "record-1"


def test_parts_come_back_exactly() -> None:
    seal = Seal("secret")
    parts = ["Gr\u00f6\u00dfe 5\u00a0mm \U0001f680\n", ""]
    assert seal.open(seal.close(*parts, tenant=TENANT, key=KEY), tenant=TENANT, key=KEY) == parts


def test_the_same_text_is_never_sealed_alike() -> None:
    seal = Seal("secret")
    assert seal.close("x", tenant=TENANT, key=KEY) != seal.close("x", tenant=TENANT, key=KEY)


@pytest.mark.parametrize(
    ("secret", "tenant", "key"), [("other", TENANT, KEY), ("secret", OTHER, KEY), ("secret", TENANT, "record-2")]
)
def test_only_the_same_secret_tenant_and_record_open_it(secret: str, tenant: str, key: str) -> None:
    sealed = Seal("secret").close("heron", tenant=TENANT, key=KEY)
    with pytest.raises(StoreError, match="SECRET_KEY"):
        Seal(secret).open(sealed, tenant=tenant, key=key)


@pytest.mark.parametrize("broken", ["", "heron", "AAAA", "\u00e9"])
def test_what_was_never_sealed_is_refused_in_words(broken: str) -> None:
    with pytest.raises(StoreError, match="SECRET_KEY"):
        Seal("secret").open(broken, tenant=TENANT, key=KEY)


def test_words_keep_order_and_repeats_and_differ_between_tenants() -> None:
    seal = Seal("secret")
    first, second, third = seal.words(["heron", "lake", "heron"], tenant=TENANT).split(" ")
    assert first == third != second
    assert Seal("secret").words(["heron"], tenant=TENANT) == first
    assert seal.words(["heron"], tenant=OTHER) != first


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(StoreError, match="SECRET_KEY"):
        Seal("")
