"""A stand-in for S3 over real HTTP that refuses requests whose signature does not fit what arrived."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote_plus, unquote
from xml.sax.saxutils import escape

from local_site import Answer, Asked, Site, local_site

from knowledge.egress import parse_address
from knowledge.sources.s3_signing import Keys, signature_headers

KEYS = Keys("AKID", "secret+key/")
REGION = "eu-test-1"


class Bucket:
    def __init__(self, name: str = "papers") -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.classes: dict[str, str] = {}
        self.page_size = 1000
        self.site: Site
        self.secret = KEYS.secret

    @property
    def url(self) -> str:
        return self.site.url

    def answer(self, asked: Asked) -> Answer:
        if refusal := self._refusal(asked):
            return _error(*refusal)
        path, _, query = asked.path.partition("?")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        if bucket != self.name:
            return _error("NoSuchBucket", 404)
        if query:
            return self._listing({name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()})
        if key not in self.objects:
            return _error("NoSuchKey", 404)
        return Answer(self.objects[key], headers={"ETag": f'"{hashlib.md5(self.objects[key]).hexdigest()}"'})

    def _refusal(self, asked: Asked) -> tuple[str, int] | None:
        given = asked.headers.get("authorization", "")
        moment = datetime.strptime(asked.headers.get("x-amz-date", "20000101T000000Z"), "%Y%m%dT%H%M%SZ").replace(
            tzinfo=UTC
        )
        if abs((datetime.now(UTC) - moment).total_seconds()) > 900:
            return "AccessDenied", 403
        target = parse_address(f"http://{asked.headers['host']}{asked.path}")
        expected = signature_headers(target, keys=Keys(KEYS.access, self.secret), region=REGION, now=moment)
        return None if given == expected["Authorization"] else ("SignatureDoesNotMatch", 403)

    def _listing(self, asked: dict[str, str]) -> Answer:
        keys = sorted(key for key in self.objects if key.startswith(asked["prefix"]))
        start = int(asked.get("continuation-token", "/0").strip("/"))
        size = min(self.page_size, int(asked["max-keys"]))
        more = start + size < len(keys)
        contents = "".join(self._contents(key) for key in keys[start : start + size])
        return Answer(
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{self.name}</Name><EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{f'<NextContinuationToken>/{start + size}</NextContinuationToken>' if more else ''}{contents}</ListBucketResult>"
        )

    def _contents(self, key: str) -> str:
        data = self.objects[key]
        return (
            f"<Contents><Key>{escape(quote_plus(key, safe='/'))}</Key><LastModified>2026-05-01T10:00:00.000Z</LastModified>"
            f"<ETag>&quot;{hashlib.md5(data).hexdigest()}&quot;</ETag><Size>{len(data)}</Size>"
            f"<StorageClass>{self.classes.get(key, 'STANDARD')}</StorageClass></Contents>"
        )


def _error(code: str, status: int) -> Answer:
    return Answer(f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>", status)


@contextlib.contextmanager
def serving_bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    with local_site() as site:
        bucket.site = site
        site.fallback = bucket.answer
        yield bucket
