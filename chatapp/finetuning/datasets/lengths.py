"""How long rows are. A trainer that cuts a long row silently takes the answer off its end: too long is refused here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatapp.finetuning.datasets.shapes import Messages
from knowledge.llm import estimate_tokens

__all__ = ["ESTIMATED", "Count", "Limits", "counter", "tokens_of", "too_long"]

MESSAGE_TOKENS = 8
"""What a chat template adds to a message: its marks, its role, line ends."""

OUTPUT_SHARE = 4
"""The completion may have a quarter of the window unless a limit is named."""

ESTIMATED = "estimated: one token for four bytes"

Count = Callable[[Sequence[str]], list[int]]
"""Takes texts and returns the tokens of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Tokens. ``counted_by`` says who counts them."""

    window: int
    output: int
    counted_by: str = ESTIMATED

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> Limits:
        window = int(chosen.get("window") or 8192)
        return cls(
            window=window, output=int(chosen.get("output") or window // OUTPUT_SHARE),
            counted_by=str(chosen.get("counted_by") or ESTIMATED),
        )  # fmt: skip


def counter(folder: Path | None = None) -> Count:
    """Return what counts tokens: the ``tokenizer.json`` of a model's folder, else our estimate."""
    if folder is None or not (folder / "tokenizer.json").is_file():
        return lambda texts: [estimate_tokens(text) for text in texts]
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: [len(one.ids) for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def tokens_of(prompt: Messages, completion: str, count: Count) -> tuple[int, int]:
    """Return the tokens of a row as ``(all, completion)``, what a chat template adds included."""
    *before, answer = count([*(message["content"] for message in prompt), completion])
    return sum(before) + answer + MESSAGE_TOKENS * (len(prompt) + 1), answer + MESSAGE_TOKENS


def too_long(whole: int, answer: int, limits: Limits) -> str:
    """Return in words what is too long; empty where it fits."""
    if whole > limits.window:
        return (
            f"{whole:,} tokens ({limits.counted_by}) do not fit the window of {limits.window:,}: a trainer would cut "
            "the answer off. Shorten the completion, or build the row with fewer passages."
        )
    if answer > limits.output:
        return f"The completion has {answer:,} tokens ({limits.counted_by}); at most {limits.output:,} are allowed."
    return ""
