"""Objects of a bucket: Amazon S3, or any server that speaks its protocol (MinIO, Ceph...)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote, unquote_plus, urlencode

from knowledge.egress import FetchLimits, Reply, fetch, parse_address
from knowledge.errors import EgressError, SourceError, SourceItemFailed, SourceMisconfigured
from knowledge.sources.base import LONGEST_KEY, TEST_BYTES, Fetched, Item, Option, Problem, SourceContext
from knowledge.sources.patterns import PATTERN_OPTIONS, Patterns, is_readable
from knowledge.sources.s3_signing import Keys, signature_headers
from knowledge.sources.values import Values
from knowledge.sources.web import address_of, rules_of, said
from knowledge.sources.words import megabytes, nothing_left, too_many, too_many_problems
from knowledge.sources.xml import children, local, parse_xml, text_of

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["S3Source"]

_BUCKET: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,62}")
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}")
_ARCHIVED: Final = ("GLACIER", "DEEP_ARCHIVE")
_LISTING_SIZE: Final = 20 * 1024 * 1024  # 1,000 objects with names of 1 kB, encoded
_REASONS: Final = {
    "NoSuchBucket": "There is no such bucket.",
    "NoSuchKey": "The object is no longer there.",
    "AccessDenied": "The bucket may not be read with these keys.",
    "InvalidAccessKeyId": "The server does not know this access key.",
    "SignatureDoesNotMatch": "The secret key does not belong to this access key.",
    "RequestTimeTooSkewed": "The clock of this machine is wrong, so the server refuses its requests.",
    "InvalidObjectState": "The object is archived. Restore it first.",
}


class S3Source:
    """Objects by key; the fingerprint is their ETag. Requests are signed here and go through the egress function."""

    name: ClassVar[str] = "s3"
    title: ClassVar[str] = "S3 bucket"
    options: ClassVar[tuple[Option, ...]] = (
        Option(name="bucket", label="Bucket", required=True),
        Option(name="prefix", label="Only keys that begin with", help="Such as handbook/. Empty: the whole bucket."),
        Option(name="region", label="Region", default="us-east-1"),
        Option(
            name="endpoint", label="Server", help="Its address, where it is not Amazon's: https://minio.example.org."
        ),
        Option(name="access_key", label="Access key", kind="secret", help="Empty for a public bucket."),
        Option(name="secret_key", label="Secret key", kind="secret"),
        *PATTERN_OPTIONS,
    )

    def __init__(self, values: Values, *, context: SourceContext) -> None:
        self._bucket, self._region = values.text("bucket"), values.text("region")
        if not _BUCKET.fullmatch(self._bucket):
            raise SourceMisconfigured("“Bucket” is not the name of a bucket.")
        if not _REGION.fullmatch(self._region):
            raise SourceMisconfigured("“Region” is not the name of a region, such as eu-central-1.")
        access, secret = values.secret("access_key"), values.secret("secret_key")
        if bool(access) != bool(secret):
            raise SourceMisconfigured("Enter both keys, or neither for a public bucket.")
        self._keys = Keys(access, secret) if access else None
        endpoint = values.text("endpoint") or f"https://s3.{self._region}.amazonaws.com"
        self._endpoint = address_of(endpoint, label="Server").url.partition("?")[0].rstrip("/")
        self._prefix = values.text("prefix")
        self._patterns = Patterns(values.lines("include"), values.lines("exclude"))
        self._rules = rules_of(context)
        self._limits, self._beat = context.limits, context.beat
        self.complete = False

    def check(self) -> list[str]:
        try:
            self._page("", most=1, size=TEST_BYTES)
        except (EgressError, SourceError) as err:
            return [err.message]
        return []

    def items(self, known: Mapping[str, str]) -> Iterator[Item | Problem]:
        listed = problems = 0
        try:
            for element in self._objects():
                found = self._offered(element)
                if isinstance(found, Item) and listed == self._limits.items:
                    yield too_many(self._limits.items)
                    return
                if isinstance(found, Problem) and problems == self._limits.problems:
                    yield too_many_problems(self._limits.problems)
                    return
                if found is not None:
                    listed += isinstance(found, Item)
                    problems += isinstance(found, Problem)
                    yield found
        except (EgressError, SourceError) as err:
            yield Problem(key="", message=err.message)
            return
        if known and not listed:
            yield nothing_left("No object was found in the bucket", len(known))
            return
        self.complete = True

    def fetch(self, item: Item) -> Fetched:
        try:
            reply = self._get(f"/{quote(item.key, safe='/~')}", size=self._limits.item_bytes)
        except (EgressError, SourceError) as err:
            raise SourceItemFailed(err.message) from err
        etag = _etag(reply.headers.get("etag", ""))
        return Fetched(item=replace(item, fingerprint=etag or item.fingerprint), data=reply.body)

    def _objects(self) -> Iterator[_Element]:
        """Go through all pages of the listing.

        :raises SourceError: the server does not go on where it said it would, or goes on beyond the limit.
        """
        token, seen, looked = "", {""}, 0
        while True:
            self._beat()
            root = self._page(token)
            objects = children(root, "contents")
            looked += max(1, len(objects))  # a page without one counts, too: it could go on for ever
            yield from objects
            if text_of(root, "istruncated") != "true":
                return
            token = text_of(root, "nextcontinuationtoken")
            if token in seen:
                raise SourceError("The server's listing of the bucket does not go on.")
            if looked >= self._limits.looked_at:
                raise SourceError(
                    f"The bucket has more than {self._limits.looked_at:,} objects there. None is withdrawn. "
                    "Narrow the source by “Only keys that begin with”."
                )
            seen.add(token)

    def _page(self, token: str, *, most: int = 1000, size: int = _LISTING_SIZE) -> _Element:
        asked = {"encoding-type": "url", "list-type": "2", "max-keys": str(most), "prefix": self._prefix}
        if token:
            asked["continuation-token"] = token
        reply = self._get("?" + urlencode(asked, quote_via=quote, safe="~"), size=size)
        root = parse_xml(reply.body, what="The server's listing")
        if local(root) != "listbucketresult":
            raise SourceError("The server does not speak the protocol of S3. Check its address.")
        if text_of(root, "encodingtype") == "url":
            for element in root.iter():
                if local(element) == "key":
                    element.text = unquote_plus(element.text or "")
        return root

    def _get(self, path: str, *, size: int) -> Reply:
        """GET below the bucket; a status that is no success is an error in words.

        :raises EgressError: the server cannot be reached.
        :raises SourceError: it refuses.
        """
        target = parse_address(f"{self._endpoint}/{self._bucket}{path}")
        signed = (
            signature_headers(target, keys=self._keys, region=self._region, now=datetime.now(UTC)) if self._keys else {}
        )
        limits = FetchLimits(size=size, seconds=self._limits.seconds, redirects=0)
        reply = fetch(target.url, rules=self._rules, credentials=signed, limits=limits)
        if reply.status != 200:
            raise SourceError(_refusal(reply, self._region))
        return reply

    def _offered(self, element: _Element) -> Item | Problem | None:
        key = element.findtext("{*}Key") or ""
        if key.endswith("/") or not is_readable(key) or not self._patterns.takes(key):
            return None
        size = text_of(element, "size")
        if len(key) > LONGEST_KEY or not key.isprintable():
            return Problem(key=key[:LONGEST_KEY], message="Its key is too long, or contains invisible characters.")
        if size.isdecimal() and int(size) > self._limits.item_bytes:
            most = megabytes(self._limits.item_bytes)
            return Problem(key=key, message=f"The object has {megabytes(int(size))}; at most {most} are read.")
        if text_of(element, "storageclass") in _ARCHIVED:
            return Problem(key=key, message="The object is archived. Restore it first.")
        changed = text_of(element, "lastmodified")
        return Item(
            key=key,
            filename=PurePosixPath(key).name,
            fingerprint=_etag(text_of(element, "etag")) or f"{changed}-{size}",
            modified=_moment(changed),
        )


def _etag(text: str) -> str:
    return text.removeprefix("W/").strip('"')


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _refusal(reply: Reply, region: str) -> str:
    other = reply.headers.get("x-amz-bucket-region", region)
    if reply.status in (301, 307, 400) and other != region and _REGION.fullmatch(other):
        return f"The bucket lies in the region {other}. Enter that one."
    try:
        code = text_of(parse_xml(reply.body, what="The reply"), "code")
    except SourceError:
        code = ""
    return _REASONS.get(code) or (f"The server refuses: {code[:80]}." if code.isalnum() else said(reply))
