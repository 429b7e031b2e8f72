"""AWS's own examples of signatures, and a bucket on loopback that checks them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bucket import KEYS, REGION, Bucket, serving_bucket
from local_site import Answer, Asked

from knowledge.egress import parse_address
from knowledge.sources.base import TEST_BYTES, SourceContext, SourceItemFailed, SourceLimits, SourceMisconfigured
from knowledge.sources.plugins import source_of
from knowledge.sources.s3_signing import Keys, signature_headers

# From "Examples: Signature Calculations" of the Amazon S3 API reference; the keys are AWS's example keys.
EXAMPLE = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
MOMENT = datetime(2013, 5, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "headers", "signature"),
    [
        ("/test.txt", {"Range": "bytes=0-9"}, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("/?lifecycle", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("/?max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_signatures_are_those_of_aws_examples(path: str, headers: dict[str, str], signature: str) -> None:
    target = parse_address(f"https://examplebucket.s3.amazonaws.com{path}")
    signed = signature_headers(target, keys=EXAMPLE, region="us-east-1", now=MOMENT, headers=headers)
    names = ";".join(sorted(["host", "x-amz-content-sha256", "x-amz-date", *(name.lower() for name in headers)]))
    assert signed["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={signature}"
    )
    assert "wJalr" not in repr(EXAMPLE)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving_bucket() as one:
        one.objects = {
            "handbook/a.md": b"# A", "handbook/b é+&=%20~.txt": b"b", "handbook/": b"", "handbook/tool.bin": b"0",
            "other/c.md": b"c", "//odd/../d.md": b"d",
        }  # fmt: skip
        yield one


@pytest.fixture
def source(bucket: Bucket, make_source: Any) -> Any:
    def make(limits: SourceLimits | None = None, secret: str = KEYS.secret, **options: object) -> Any:
        return make_source(
            "s3",
            {"bucket": "papers", "region": REGION, "endpoint": bucket.url, **options},
            secrets={"access_key": KEYS.access, "secret_key": secret} if secret else {},
            limits=limits,
        )

    return make


def test_readable_objects_are_offered_and_read(source: Any, listed: Any, bucket: Bucket) -> None:
    one = source()
    listing = listed(one)
    assert listing.keys == ["//odd/../d.md", "handbook/a.md", "handbook/b é+&=%20~.txt", "other/c.md"]
    assert listing.complete
    assert listing["handbook/a.md"].modified == datetime(2026, 5, 1, 10, tzinfo=UTC)
    for item in listing.items:
        fetched = one.fetch(item)
        assert (fetched.data, fetched.item) == (bucket.objects[item.key], item)
    assert one.check() == []


def test_only_what_changed_has_another_fingerprint(source: Any, listed: Any, bucket: Bucket) -> None:
    first = listed(source())
    bucket.objects["handbook/a.md"] = b"# A2"
    del bucket.objects["other/c.md"]
    second = listed(source(), first.known)
    assert second.keys == first.keys[:3]
    assert [key for key in second.keys if second.known[key] != first.known[key]] == ["handbook/a.md"]


def test_object_changed_after_the_listing_tells_its_new_fingerprint(source: Any, listed: Any, bucket: Bucket) -> None:
    one = source()
    item = listed(one)["handbook/a.md"]
    bucket.objects["handbook/a.md"] = b"# A2"
    fetched = one.fetch(item)
    assert fetched.data == b"# A2"
    assert fetched.item.fingerprint == listed(source())["handbook/a.md"].fingerprint


def test_listing_of_many_pages_is_whole(source: Any, listed: Any, bucket: Bucket) -> None:
    bucket.objects = {f"{number:04}.md": b"x" for number in range(2050)}
    listing = listed(source())
    assert len(listing.items) == 2050
    assert listing.complete
    assert len(bucket.site.asked) == 3


def test_listing_that_does_not_go_on_is_incomplete(source: Any, listed: Any, bucket: Bucket) -> None:
    page = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></ListBucketResult>"
    bucket.site.fallback = lambda asked: Answer(page)
    listing = listed(source())
    assert not listing.complete
    assert "does not go on" in listing.problems[0].message


def test_page_that_fails_in_the_middle_withdraws_nothing(source: Any, listed: Any, bucket: Bucket) -> None:
    bucket.page_size = 2
    answer = bucket.answer
    bucket.site.fallback = lambda asked: Answer(status=503) if "continuation" in asked.path else answer(asked)
    listing = listed(source())
    assert not listing.complete
    assert "HTTP 503" in listing.problems[0].message


def test_prefix_and_patterns_choose(source: Any, listed: Any) -> None:
    assert listed(source(prefix="handbook/")).keys == ["handbook/a.md", "handbook/b é+&=%20~.txt"]
    assert listed(source(include=["*.md"], exclude=["other/**"], prefix="o")).items == []


def test_large_and_archived_objects_are_problems(source: Any, listed: Any, bucket: Bucket) -> None:
    bucket.objects["big.md"] = b"x" * 3000
    bucket.classes["other/c.md"] = "GLACIER"
    listing = listed(source(limits=SourceLimits(item_bytes=2000)))
    assert [problem.key for problem in listing.problems] == ["big.md", "other/c.md"]
    assert listing.complete


def test_listing_beyond_the_limit_is_incomplete(source: Any, listed: Any) -> None:
    listing = listed(source(limits=SourceLimits(items=2)))
    assert (len(listing.items), listing.complete) == (2, False)


def test_bucket_without_any_object_left_is_doubted(source: Any, listed: Any, bucket: Bucket) -> None:
    bucket.objects = {}
    assert listed(source()).complete
    assert not listed(source(), {"a": "b"}).complete


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"secret": "wrong"}, "secret key does not belong"),
        ({"secret": ""}, "may not be read"),
        ({"bucket": "none"}, "no such bucket"),
        ({"region": "us-east-1"}, "secret key does not belong"),
    ],
)
def test_refusals_are_sentences(source: Any, listed: Any, options: dict[str, str], says: str) -> None:
    one = source(**options)
    assert says in one.check()[0]
    listing = listed(one, {"a": "b"})
    assert (listing.items, listing.complete) == ([], False)
    assert KEYS.secret not in listing.problems[0].message


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            Answer(status=301, headers={"x-amz-bucket-region": "eu-west-7", "Location": "http://127.0.0.1:1/"}),
            "region eu-west-7",
        ),
        (Answer("<html></html>"), "does not speak the protocol"),
        (Answer("nonsense"), "not valid XML"),
        (Answer('<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>'), "DTD"),
        (Answer(status=500), "HTTP 500"),
        (Answer("<Error><Code>Teapot</Code></Error>", 418), "refuses: Teapot"),
    ],
)
def test_odd_servers_are_sentences(source: Any, bucket: Bucket, answer: Answer, says: str) -> None:
    bucket.site.fallback = lambda asked: answer
    assert says in source().check()[0]


def test_object_gone_after_the_listing_is_a_sentence(source: Any, listed: Any, bucket: Bucket) -> None:
    one = source()
    item = listed(one)["other/c.md"]
    del bucket.objects["other/c.md"]
    with pytest.raises(SourceItemFailed, match="no longer there"):
        one.fetch(item)


@pytest.mark.parametrize(
    ("options", "secrets"),
    [
        ({"bucket": "a/b"}, {}), ({"bucket": ".."}, {}), ({"bucket": "papers", "region": "a.b"}, {}),
        ({"bucket": "papers", "endpoint": "ftp://x"}, {}), ({"bucket": "papers"}, {"access_key": "a"}),
        ({"bucket": "papers", "secret_key": "in the open"}, {}), ({}, {}),
    ],
)  # fmt: skip
def test_wrong_settings_are_sentences(make_source: Any, options: dict[str, str], secrets: dict[str, str]) -> None:
    with pytest.raises(SourceMisconfigured):
        make_source("s3", options, secrets=secrets)


def test_internal_server_is_refused_by_default(bucket: Bucket, make_source: Any) -> None:
    one = make_source("s3", {"bucket": "papers", "endpoint": bucket.url}, allow=())
    assert "EGRESS_ALLOW" in one.check()[0]
    assert bucket.site.asked == []


def test_a_test_of_the_connection_reads_little(source: Any, bucket: Bucket) -> None:
    bucket.site.fallback = lambda asked: Answer("<ListBucketResult>" + " " * TEST_BYTES + "</ListBucketResult>")
    assert "2 MB" in source().check()[0]


def page_of(contents: str, token: str) -> Answer:
    following = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    return Answer(f"<ListBucketResult>{contents}{following}</ListBucketResult>")


def test_a_listing_that_goes_round_ends(source: Any, listed: Any, bucket: Bucket) -> None:
    asked: list[Asked] = []

    def answer(one: Asked) -> Answer:
        asked.append(one)
        return page_of("", "ab"[len(asked) % 2])

    bucket.site.fallback = answer
    listing = listed(source())
    assert "does not go on" in listing.problems[0].message
    assert len(asked) == 3


def test_a_listing_without_an_end_is_left(source: Any, listed: Any, bucket: Bucket) -> None:
    asked: list[Asked] = []

    def answer(one: Asked) -> Answer:
        asked.append(one)
        return page_of("<Contents><Key>a.bin</Key></Contents>" * 2, str(len(asked)))

    bucket.site.fallback = answer
    listing = listed(source(limits=SourceLimits(looked_at=10)), {"a": "b"})
    assert (len(asked), listing.complete) == (5, False)
    assert "more than 10 objects" in listing.problems[0].message


def test_a_bucket_of_problems_is_cut_short(source: Any, listed: Any, bucket: Bucket) -> None:
    bucket.objects = {f"{number}.md": b"long" for number in range(9)}
    listing = listed(source(limits=SourceLimits(problems=3, item_bytes=1)))
    assert (len(listing.problems), listing.complete) == (4, False)
    assert "More than 3 of its documents" in listing.problems[-1].message


def test_whoever_runs_it_is_called_while_nothing_is_offered(bucket: Bucket, tmp_path: Path) -> None:
    calls: list[int] = []

    def beat() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    bucket.objects = {f"{number}.bin": b"0" for number in range(50)}
    bucket.page_size = 5
    context = SourceContext(allow=("127.0.0.1",), work=tmp_path, beat=beat)
    options = {"bucket": "papers", "region": REGION, "endpoint": bucket.url}
    secrets = {"access_key": KEYS.access, "secret_key": KEYS.secret}
    with pytest.raises(KeyboardInterrupt):
        list(source_of("s3", options, secrets=secrets, context=context).items({}))
    assert len(bucket.site.asked) == 2
