"""What the model says to held-out prompts: the curve tells how much it learned, the samples tell what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from chatapp.finetuning.training.program.reporting import Reporter
from chatapp.finetuning.training.program.rows import Row

__all__ = ["Sampler"]


class Sampler:
    """Answers the same few prompts each time, always with the likeliest token, so that only the model differs."""

    def __init__(self, tokenizer: Any, rows: Sequence[Row], report: Reporter, *, tokens: int, window: int) -> None:
        self._tokenizer, self._rows, self._report = tokenizer, list(rows), report
        self._tokens, self._window = tokens, window
        self.model: Any = None

    def take(self, step: int) -> None:
        for row in self._rows:
            output = self._answer(row)
            self._report.say("sample", step=step, key=row.key, expected=row.completion, output=output)

    def _answer(self, row: Row) -> str:
        ids = self._tokenizer.apply_chat_template(
            row.prompt, add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self.model.device)
        given = ids["input_ids"].shape[1]
        if given >= self._window:
            return ""
        was, use_cache = self.model.training, self.model.config.use_cache
        self.model.eval()
        try:
            with torch.no_grad():
                made = self.model.generate(
                    **ids, max_new_tokens=min(self._tokens, self._window - given), do_sample=False, use_cache=True,
                    pad_token_id=self._tokenizer.pad_token_id,
                )  # fmt: skip
        finally:
            self.model.train(was)
            self.model.config.use_cache = use_cache
        self._report.alive()
        return str(self._tokenizer.decode(made[0, given:], skip_special_tokens=True))
