"""Bytes of a file in, canonical text with blocks and boxes out. ``parse_in_child`` is the way in."""

from knowledge.parsing.base import ParseContext, ParseLimits, Parser
from knowledge.parsing.boxes import decode_boxes, encode_boxes, rects
from knowledge.parsing.registry import detect, extensions, media_types, parser_for
from knowledge.parsing.sandbox import ChildParser, parse_in_child, remove_left_folders
from knowledge.parsing.serial import from_json, to_json

__all__ = [
    "ChildParser",
    "ParseContext",
    "ParseLimits",
    "Parser",
    "decode_boxes",
    "detect",
    "encode_boxes",
    "extensions",
    "from_json",
    "media_types",
    "parse_in_child",
    "parser_for",
    "rects",
    "remove_left_folders",
    "to_json",
]
