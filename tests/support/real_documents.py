"""Documents that people wrote: the descriptions of installed packages, as files of every format.

They hold what made-up texts lack: tables, code, addresses, emoji, Chinese, combining characters.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import metadata

from made_files import docx_of, pdf_of

# All of them are in the locks, so a checkout that is tested has them.
PACKAGES = (
    "celery", "channels_redis", "charset-normalizer", "django-environ", "httpcore", "huggingface_hub", "idna", "kombu",
    "litellm", "openai", "psutil", "pypdfium2", "python-dotenv", "redis", "regex", "rich", "tiktoken", "tokenizers",
    "tqdm", "wcwidth",
)  # fmt: skip
SENTENCE = re.compile(r"(?<=[.!?:])\s+")
CHARACTERS = 4_500


@dataclass(frozen=True)
class Written:
    """A file and questions about it, made of words that stand in it."""

    name: str
    data: bytes
    questions: tuple[str, ...]


def as_markdown(title: str, text: str) -> bytes:
    return f"# {title}\n\n{text}".encode()


def as_text(title: str, text: str) -> bytes:
    return f"{title}\n\n{text}".encode()


def as_html(title: str, text: str) -> bytes:
    body = "".join(f"<p>{html.escape(part)}</p>" for part in text.split("\n\n"))
    page = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{body}"
    return page.encode()


def as_docx(title: str, text: str) -> bytes:
    return docx_of(title, [" ".join(part.split()) for part in text.split("\n\n") if part.strip()])


def as_pdf(title: str, text: str) -> bytes:
    """ASCII only, since the font is one that every reader brings along; two lines of it lie on each other's heels."""
    plain = text.encode("ascii", "ignore").decode().translate(str.maketrans("()\\", "   "))
    lines = [line for part in plain.split("\n\n") for line in [*textwrap.wrap(part, 84), ""]]
    return pdf_of([[title, "", *lines[at : at + 36]] for at in range(0, len(lines), 36)])


FORMATS: tuple[tuple[str, Callable[[str, str], bytes]], ...] = (
    ("md", as_markdown), ("pdf", as_pdf), ("html", as_html), ("docx", as_docx), ("txt", as_text),
)  # fmt: skip


def questions(title: str, text: str, count: int) -> tuple[str, ...]:
    """Return questions about sentences that lie evenly over the text."""
    sentences = [" ".join(s.split()) for s in SENTENCE.split(text)]
    wordy = [s for s in sentences if len(re.findall(r"[A-Za-z]{3,}", s)) >= 5] or sentences
    picked: Sequence[str] = [wordy[at * len(wordy) // count] for at in range(count)]
    return tuple(f"What does {title} say about: {' '.join(s.split()[:14])}?" for s in picked)


def real_documents(*, questions_each: int) -> list[Written]:
    """Return every package's description in one of the formats, with questions about it."""
    found = []
    for number, package in enumerate(PACKAGES):
        about = metadata(package)
        text = str(about.get_payload() or about["Description"])[:CHARACTERS]
        suffix, write = FORMATS[number % len(FORMATS)]
        found.append(
            Written(f"{package}.{suffix}", write(package, text), questions(package, text, questions_each))
        )  # fmt: skip
    return found
