"""JSON Schemas that an answer may have to fit: which are accepted, and how a model is told.

A schema comes from an administrator or from a caller of the API and is run against what a model writes, inside the web
process. So there is a closed list of keywords, without regular expressions; references are written out; all is small.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chatapp.answering.lines import NO_ANSWER
from knowledge.errors import KnowledgeError
from knowledge.llm import ModelSettings

__all__ = ["OutputSchema", "SchemaRefused", "checked_schema"]

MOST_BYTES = 16 * 1024
DEEPEST = 8
MOST_PARTS = 300  # schemas within the schema, once its references are written out

_SCHEMAS = ("items",)  # keywords whose value is a schema
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_PLAIN = frozenset(
    "type title description default examples format enum const required minItems maxItems uniqueItems minLength "
    "maxLength minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minProperties maxProperties "
    "$comment".split()
)
_LEFT_OUT = frozenset(("$schema", "$defs", "definitions"))  # references are written out


class SchemaRefused(KnowledgeError):
    code = "schema_refused"
    status = 422
    default_message = "This JSON Schema is not accepted."


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSchema:
    """What an answer has to fit. ``schema`` is what ``checked_schema`` returned."""

    schema: Mapping[str, Any]
    native: bool = False  # the model's server takes it as ``response_format``

    def instructions(self, *, cited: bool) -> str:
        """Say to the model what to write; ``cited``: its text has to name sources."""
        asked = "Write the answer as one JSON object that fits this JSON Schema"
        shape = json.dumps(self.schema, ensure_ascii=False)
        told = [f"{asked}, with nothing before or after it and no code fence:\n{shape}"]
        if cited:
            told.append(
                "Labels such as [S1] stand inside the text values, before the final punctuation mark. Numbers, true, "
                "false and values of a fixed list take none."
            )
            where = "the first text value" if self.native else "a single line instead of the object"
            told.append(f"If the sources do not contain the answer, write {NO_ANSWER} as {where}.")
        return "\n".join(told)

    def asked_of(self, model: ModelSettings) -> ModelSettings:
        """Return the settings of a call that asks the server for the schema too, where it takes one."""
        if not self.native:
            return model
        return replace(model, extra={**model.extra, "response_format": self.response_format()})

    def response_format(self) -> dict[str, Any]:
        """Return the argument in OpenAI's shape; strict where the schema is as strict servers demand."""
        schema = {"name": "answer", "schema": dict(self.schema), "strict": _is_strict(self.schema)}
        return {"type": "json_schema", "json_schema": schema}


def checked_schema(schema: object) -> dict[str, Any]:
    """Return the schema with its references written out.

    :raises SchemaRefused: it is no schema of an object, too large, or has what is not supported here.
    """
    if not isinstance(schema, Mapping) or schema.get("type") != "object" or not schema.get("properties"):
        raise SchemaRefused("The JSON Schema must be of an object: {“type”: “object”, “properties”: {…}}.")
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaRefused("The JSON Schema holds what JSON can't write.") from error
    if "\\u0000" in text:
        raise SchemaRefused("The JSON Schema holds a character that can't be stored.")
    if size > MOST_BYTES:
        raise SchemaRefused(f"The JSON Schema is larger than {MOST_BYTES // 1024} KiB.")
    written = _Writing(schema).out(schema, "the schema", 0)
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(written)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path) or "the schema"
        raise SchemaRefused(f"The JSON Schema is not valid at {where}: {error.message[:200]}") from error
    return written


class _Writing:
    """Writes a schema out without its references, as long as it stays small."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._parts = 0

    def out(self, schema: object, where: str, depth: int) -> dict[str, Any]:
        """:raises SchemaRefused: it grows too large, or has what is not supported."""
        self._parts += 1
        if depth > DEEPEST:
            raise SchemaRefused(f"The JSON Schema is nested deeper than {DEEPEST} levels, or refers to itself.")
        if self._parts > MOST_PARTS:
            raise SchemaRefused(f"The JSON Schema has more than {MOST_PARTS} parts.")
        if not isinstance(schema, Mapping):
            raise SchemaRefused(f"In the JSON Schema, {where} must be an object.")
        if "$ref" in schema:
            return {**self.out(self._target(schema["$ref"]), where, depth + 1), **self._own(schema, where, depth)}
        return self._own(schema, where, depth)

    def _own(self, schema: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
        return dict(self._keywords(schema, where, depth))

    def _keywords(self, schema: Mapping[str, Any], where: str, depth: int) -> Iterator[tuple[str, Any]]:
        for name, value in schema.items():
            if name in _PLAIN:
                yield name, value
            elif name in _SCHEMAS or (name == "additionalProperties" and not isinstance(value, bool)):
                yield name, self.out(value, f"“{name}” of {where}", depth + 1)
            elif name == "additionalProperties":
                yield name, value
            elif name in _LISTS and isinstance(value, list):
                yield name, [self.out(each, f"“{name}” of {where}", depth + 1) for each in value]
            elif name == "properties" and isinstance(value, Mapping):
                yield name, {key: self.out(each, f"“{key}”", depth + 1) for key, each in value.items()}
            elif name not in _LEFT_OUT and name != "$ref":
                raise SchemaRefused(f"The JSON Schema uses “{str(name)[:40]}” at {where}, which is not supported here.")

    def _target(self, reference: object) -> object:
        """Return what a reference inside the schema leads to."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise SchemaRefused("References of the JSON Schema must stay inside it: “#/$defs/…”.")
        found: Any = self._root
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise SchemaRefused(f"The JSON Schema refers to {reference[:80]}, which is not in it.")
            found = found[name]
        return found


def _is_strict(schema: object) -> bool:
    """Tell whether every object closes its properties and requires them all, as strict decoding demands."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(schema.get("properties", {})):
            return False
    return all(map(_is_strict, schema.get("properties", {}).values())) and all(
        _is_strict(schema.get(name)) for name in (*_SCHEMAS, *_LISTS)
    )
