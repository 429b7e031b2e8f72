"""XML of strangers that is small in bytes and large in memory."""

from __future__ import annotations

import time

import pytest

from knowledge.errors import SourceError
from knowledge.sources.xml import MOST_ELEMENTS, parse_xml


def test_what_is_not_too_much_is_built_whole() -> None:
    root = parse_xml(b"<a>" + b"<b x='1'>c</b>" * 100_000 + b"</a>", what="It")
    assert len(root) == 100_000
    assert root[99_999].text == "c"


@pytest.mark.parametrize("part", [b"<b/>", b"<b x='1' y='2'/>"])
def test_elements_and_attributes_are_counted_while_they_are_built(part: bytes) -> None:
    def seconds(count: int) -> float:
        data = b"<a>" + part * count + b"</a>"
        started = time.process_time()
        with pytest.raises(SourceError, match="It has more than 500,000 elements"):
            parse_xml(data, what="It")
        return time.process_time() - started

    assert seconds(MOST_ELEMENTS * 8) < seconds(MOST_ELEMENTS) * 2  # the rest of it was not read
