from __future__ import annotations

import re
from typing import Any

import pytest

from chatapp.answering.schemas import OutputSchema, SchemaRefused, checked_schema
from chatapp.answering.values import OutputInvalid, read_object


def an_object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields or {"a": {"type": "string"}}}


def test_references_inside_the_schema_are_written_out() -> None:
    schema = an_object(
        a={"$ref": "#/$defs/day", "description": "First"}, b={"type": "array", "items": {"$ref": "#/$defs/day"}}
    )
    found = checked_schema({**schema, "$defs": {"day": {"type": "string", "description": "A day"}}})
    assert found == an_object(
        a={"type": "string", "description": "First"},
        b={"type": "array", "items": {"type": "string", "description": "A day"}},
    )


def doubling() -> dict[str, Any]:
    """A small schema that is a large one once its references are written out."""
    defs: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(3)}
    return {**an_object(a={"$ref": "#/$defs/d0"}), "$defs": {**defs, "d3": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("text", "must be of an object"),
        ({"type": "array"}, "must be of an object"),
        ({"type": "object"}, "must be of an object"),
        (an_object(a={"pattern": "(a+)+$"}), "“pattern”"),
        (an_object(a={"$ref": "https://example.org/schema"}), "stay inside"),
        (an_object(a={"$ref": "#/$defs/none"}), "not in it"),
        (an_object(a={"$ref": "#/properties/a"}), "refers to itself"),
        (an_object(a="string"), "must be an object"),
        (an_object(a={"type": "strin"}), "not valid at properties.a.type"),
        (an_object(a={"description": "x" * 20_000}), "larger than 16 KiB"),
        (an_object(a={"default": float("nan")}), "can't write"),
        (an_object(**{f"f{n}": {} for n in range(301)}), "more than 300 parts"),
        (doubling(), "more than 300 parts"),
        ({**an_object(), "$id": "https://example.org"}, "“$id”"),
    ],
    ids=lambda value: value if isinstance(value, str) else "schema",
)
def test_what_is_refused_is_told_in_words(schema: object, words: str) -> None:
    with pytest.raises(SchemaRefused, match=re.escape(words)):
        checked_schema(schema)


def test_strict_is_asked_for_only_where_the_schema_allows_it() -> None:
    closed = {**an_object(), "additionalProperties": False, "required": ["a"]}
    assert OutputSchema(schema=closed).response_format()["json_schema"]["strict"]
    inner = {**an_object(a=an_object()), "additionalProperties": False, "required": ["a"]}
    assert not OutputSchema(schema=inner).response_format()["json_schema"]["strict"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('{"a": NaN}', "not one JSON object"),
        ('{"a": 1} and more', "Extra data at character 9"),
        ("[" * 100_000, "not one JSON object"),
        ("[1]", "not an object"),
        (f'{{"a": [{"1," * 2_000}1]}}', "more than 2,000 values"),
        ('{"\ue000": "x"}', "name of a field"),
        ('{"a": 1}', "a: 1 is not of type 'string'"),
    ],
    ids=["nan", "more", "deep", "list", "many", "name", "type"],
)
def test_what_does_not_fit_is_told_in_words(written: str, words: str) -> None:
    with pytest.raises(OutputInvalid, match=words):
        read_object(written, checked_schema(an_object()), plain=str)
