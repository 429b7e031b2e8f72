"""What the scripted language model says and which vectors it gives; see ``scripted_model``."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OK_ANSWER = "The scripted model answers. It does so in two short sentences."
MARKER = re.compile(r"\[S(\d+)\]")
OPTION = re.compile(r"-(ms|after|times|dim|size)-(\d+)")
NO_SENTENCE = re.compile(r"<<<|\S+>>>$|#+ ")  # the fence around a source, and headings in it
MALFORMED = (
    "Half a marker [S1 stays open. Wide brackets 【S1】 and double [[S1]] and spaced [ S1 ] and lower [s1]. "
    "A link [1](http://evil.test) and an image ![S1](http://evil.test/x.png). Code `x[0]` and x[S0]. "
    "Private \ue000S1\ue001 characters \ufffe\u202e. <script>alert(1)</script> [S1,S2] [S1][S1] [S"
)


# --- what the model says ------------------------------------------------------------------------


@dataclass
class Reply:
    """One scripted answer. ``chunks`` are streamed as they are, texts or whole deltas; ``finish`` None leaves the reason
    out."""

    chunks: Sequence[Any]
    finish: str | None = "stop"
    usage: bool | Mapping[str, int] = True
    delay_ms: float = 0.0
    first_delay_ms: float = 0.0
    then: str = "finish"  # "finish", "hang", "reset", "garbage", "garbage-utf8", "error", "repeat", "replay"


def tokens(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def message_text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    return next((message_text(m) for m in reversed(messages) if m.get("role") == "user"), "")


def source_blocks(prompt: str) -> list[tuple[str, str]]:
    """``(label number, text after it)`` for every distinct ``[S1]`` that has text after it."""
    found = list(MARKER.finditer(prompt))
    ends = [m.start() for m in found[1:]] + [len(prompt)] * bool(found)
    blocks = {m.group(1): prompt[m.end() : end].strip() for m, end in reversed(list(zip(found, ends, strict=True)))}
    return sorted(((label, text) for label, text in blocks.items() if text), key=lambda block: int(block[0]))


MARKUP = str.maketrans("", "", "`<>$")
"""Dropped from what is quoted: a sentence cut out of code would leave it open, and what follows is code then."""


def cited_sentences(prompt: str, limit: int = 3) -> list[tuple[str, str]]:
    """``(sentence, label number)`` of the sources, the ones nearest to the prompt's last line first."""
    words = set(re.findall(r"\w{3,}", (prompt.strip().splitlines() or [""])[-1].lower()))
    scored: list[tuple[int, int, str, str]] = []
    sources, _, rest = prompt.rstrip().rpartition("\n")  # the last line is the question, when there are several
    for order, (label, text) in enumerate(source_blocks(sources if MARKER.search(sources) else rest)):
        lines = text.splitlines()
        kept = [line for line in lines[1:] if not NO_SENTENCE.match(line)]
        body = " ".join(kept or lines)
        sentences = [s.strip() for s in re.findall(r"[^.!?]{15,400}[.!?]", body)] or [body[:200].strip()]
        best = max(sentences, key=lambda s: len(words & set(re.findall(r"\w{3,}", s.lower()))))
        overlap = len(words & set(re.findall(r"\w{3,}", best.lower())))
        scored.append((-overlap, order, best, label))
    return [(sentence, label) for _, _, sentence, label in sorted(scored)[:limit] if sentence]


def cited_answer(messages: Sequence[Mapping[str, Any]]) -> str:
    sentences = cited_sentences(last_user_text(messages))
    prose = [(s.translate(MARKUP).rstrip(".!? "), label) for s, label in sentences]
    return " ".join(f"{s} [S{label}]." for s, label in prose) or "NO_ANSWER No source was given."


def split_markers(text: str) -> list[str]:
    """Tokens as usual, but every marker in single characters."""
    parts = re.split(r"(\[S\d+\])", text)
    return [piece for part in parts for piece in (list(part) if MARKER.fullmatch(part) else tokens(part))]


TOWN = '{"town": "Prague", "founded_in": 870, "has_river": true}'


def able_answer(messages: Sequence[Mapping[str, Any]], *, has_schema: bool) -> str:
    """What a model says that can do all: JSON where it is asked for, citations where there are sources."""
    asked = last_user_text(messages)
    if has_schema or "one JSON object" in asked:
        return TOWN if has_schema else f"```json\n{TOWN}\n```"
    return cited_answer(messages) if MARKER.search(asked) else OK_ANSWER


def scripted_reply(kind: str, options: Mapping[str, int], messages: Sequence[Mapping[str, Any]]) -> Reply | None:
    delay = float(options.get("ms", 0))
    ok = tokens(" ".join([OK_ANSWER] * max(1, options.get("size", 0) // 11)))
    replies = {
        "ok": lambda: Reply(ok, delay_ms=delay),
        "cite": lambda: Reply(tokens(cited_answer(messages)), delay_ms=delay),
        "split-markers": lambda: Reply(split_markers(cited_answer(messages)), delay_ms=delay),
        "invented": lambda: Reply(tokens("One claim [S99]. A second [7]. A third (S42). A fourth [S1][S98].")),
        "malformed": lambda: Reply(tokens(MALFORMED)),
        "noanswer": lambda: Reply(tokens("NO_ANSWER The sources do not say.")),
        "echo": lambda: Reply([json.dumps(list(messages), ensure_ascii=False)]),
        "slow": lambda: Reply(ok, delay_ms=delay or 50),
        "late": lambda: Reply(ok, first_delay_ms=delay or 300),
        "hang": lambda: Reply([], then="hang"),
        "stall": lambda: Reply(ok[:2], then="hang"),
        "endless": lambda: Reply(ok, delay_ms=delay or 20, then="repeat"),
        "reset": lambda: Reply(ok[:3], delay_ms=delay, then="reset"),
        "no-finish": lambda: Reply(ok, finish=None, usage=False),
        "length": lambda: Reply(ok, finish="length"),
        "no-usage": lambda: Reply(ok, usage=False),
        "garbage": lambda: Reply(ok[:2], then="garbage"),
        "garbage-utf8": lambda: Reply(ok[:2], then="garbage-utf8"),
        "error-event": lambda: Reply(ok[:2], then="error"),
    }
    return replies[kind]() if kind in replies else None


# --- vectors --------------------------------------------------------------------------------------


def word_vector(text: str, dimension: int) -> list[float]:
    """Signed word hashing, length about the square root of the words: texts that share words are near."""
    vector = [0.0] * dimension
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        vector[int.from_bytes(digest[:4], "big") % dimension] += 1.0 if digest[4] & 1 else -1.0
    return vector if any(vector) else [1.0] + [0.0] * (dimension - 1)


def embeddings(kind: str, dimension: int, texts: Sequence[str]) -> list[list[float]]:
    vectors = [word_vector(text, dimension) for text in texts]
    if kind == "embed-nan":
        vectors[-1][0] = float("nan")
    elif kind == "embed-zero":
        vectors[-1] = [0.0] * dimension
    elif kind == "embed-short":
        vectors.pop()
    elif kind == "embed-ragged":
        vectors[-1].append(0.5)
    return vectors


def as_base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def parse_name(model: str) -> tuple[str, dict[str, int]]:
    """``scripted-slow-ms-20`` -> ``("slow", {"ms": 20})``; a provider prefix before a slash is ignored."""
    name = model.rsplit("/", 1)[-1]
    options = {key: int(value) for key, value in OPTION.findall(name)}
    return OPTION.sub("", name).removeprefix("scripted-"), options
