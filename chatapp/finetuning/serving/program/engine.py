"""Models in memory: whole weights by name, their adapters, and one generation at a time over all of them.

Everything here runs in the thread of ``turns``; only ``window`` and names are read from elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatapp.finetuning.serving.program import weights
from chatapp.finetuning.serving.program.text import TextOut
from chatapp.finetuning.serving.program.wire import Asked, Refused, Said

__all__ = ["Engine", "Weights"]


@dataclass(slots=True)
class Weights:
    """One set of whole weights with its adapters; ``model`` is what generates, ``base`` it without adapters."""

    base: Any
    tokenizer: Any
    window: int
    model: Any = None
    adapters: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = self.model or self.base

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[Any]:
        """Let the model answer with that adapter, or with none."""
        if adapter is not None:
            self.model.set_adapter(adapter)
        off = self.model.disable_adapter() if adapter is None and self.model is not self.base else nullcontext()
        with off:
            yield self.model


class Engine:
    """What one server has loaded."""

    def __init__(self, *, name: str, path: Path, device: str, folders: Sequence[Path]) -> None:
        self._name, self._path, self._folders = name, path, folders
        self.device = device or _device()
        self._weights = {name: self._read(path)}

    def names(self) -> list[str]:
        """Return what ``model`` of a request may be: bases first."""
        return [*self._weights, *self.adapters()]

    def adapters(self) -> list[str]:
        return [adapter for each in self._weights.values() for adapter in each.adapters]

    def load_adapter(self, *, name: str, path: str, digest: str) -> None:
        """:raises Refused: see ``weights.check_folder``; the name is taken; it does not fit."""
        self._check_free(name)
        folder = weights.check_folder(path, digest=digest, folders=self._folders, adapter=True)
        held = self._weights[self._name]
        held.model = weights.with_adapter(held.model, folder, name=name, base=held.base)
        held.adapters.append(name)

    def load_model(self, *, name: str, path: str, digest: str) -> None:
        """Load whole weights beside the base. :raises Refused: as ``load_adapter``."""
        self._check_free(name)
        self._weights[name] = self._read(
            weights.check_folder(path, digest=digest, folders=self._folders, adapter=False)
        )

    def unload(self, name: str) -> None:
        """:raises Refused: no such adapter or further model."""
        held = self._weights[self._name]
        if name in held.adapters:
            held.adapters.remove(name)
            if held.adapters:
                held.model.delete_adapter(name)
            else:
                held.base, held.model = held.model.unload(), None
                held.model = held.base
        elif name != self._name and name in self._weights:
            del self._weights[name]
        else:
            raise Refused(404, "model_not_found", f"There is no adapter {name!r} here.")

    def prepare(self, asked: Asked) -> Prompt:
        """Render a request.

        :raises Refused: no such model, no chat template, or the prompt leaves no room in the window.
        """
        held, adapter = self._find(asked.model)
        try:
            text = held.tokenizer.apply_chat_template(asked.messages, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # a template is a program of the model's maker and raises what it likes
            raise Refused(400, "chat_template", "The model's chat template does not take these messages.") from error
        tokens = held.tokenizer(text, add_special_tokens=False)["input_ids"]
        room = held.window - len(tokens)
        if room < 1:
            raise Refused(
                400, "context_length_exceeded",
                f"This model's maximum context length is {held.window} tokens, and the messages have {len(tokens)}.",
            )  # fmt: skip
        return Prompt(held, adapter, tokens, min(asked.max_tokens or room, room))

    def generate(self, prompt: Prompt, asked: Asked, *, give: Callable[[str], None], stop: threading.Event) -> Said:
        """Give the answer piece by piece; ends within a token once ``stop`` is set."""
        import torch
        from transformers import StoppingCriteriaList

        said = Said(prompt_tokens=len(prompt.tokens))
        tokenizer = prompt.weights.tokenizer
        out = TextOut(lambda ids: tokenizer.decode(ids, skip_special_tokens=True), asked.stop)
        watch = _Watch(out, said, give, stop)
        sampling: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if asked.temperature > 0:
            sampling = {"do_sample": True, "temperature": asked.temperature, "top_p": asked.top_p, "top_k": 0}
        if asked.seed is not None:
            torch.manual_seed(asked.seed)
        tokens = torch.tensor([prompt.tokens], device=self.device)
        with torch.inference_mode(), prompt.weights.using(prompt.adapter) as model:
            model.generate(
                input_ids=tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=prompt.room,
                stopping_criteria=StoppingCriteriaList([watch]), pad_token_id=_pad(tokenizer), **sampling,
            )  # fmt: skip
        watch.say(out.end())
        said.finish = "stop" if out.stopped or said.completion_tokens < prompt.room or watch.ended(model) else "length"
        return said

    def _find(self, name: str) -> tuple[Weights, str | None]:
        if name in self._weights:
            return self._weights[name], None
        for held in self._weights.values():
            if name in held.adapters:
                return held, name
        raise Refused(404, "model_not_found", f"The model {name!r} is not loaded here.")

    def _check_free(self, name: str) -> None:
        if weights.check_name(name) in self.names():
            raise Refused(409, "name_taken", f"{name!r} is loaded already.")

    def _read(self, path: Path) -> Weights:
        model, tokenizer = weights.load(path, device=self.device, tokenizer_from=self._path)
        return Weights(base=model, tokenizer=tokenizer, window=_window(model.config, tokenizer))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as tokens, and how many may follow."""

    weights: Weights
    adapter: str | None
    tokens: list[int]
    room: int


class _Watch:
    """Sees each token (a ``StoppingCriteria`` by its call): passes its text on, and says when to end."""

    def __init__(self, out: TextOut, said: Said, give: Callable[[str], None], stop: threading.Event) -> None:
        self._out, self._said, self._give, self._stop = out, said, give, stop
        self._last = -1

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        self._last = int(input_ids[0, -1])
        self._said.completion_tokens += 1
        self.say(self._out.take(self._last))
        ends = self._stop.is_set() or self._out.stopped
        return torch.full((input_ids.shape[0],), ends, device=input_ids.device, dtype=torch.bool)

    def say(self, text: str) -> None:
        if text:
            self._said.text.append(text)
            self._give(text)

    def ended(self, model: Any) -> bool:
        """Whether the last token is one that ends an answer."""
        ends = model.generation_config.eos_token_id
        return self._last in (ends if isinstance(ends, list) else [ends])


def _window(config: Any, tokenizer: Any) -> int:
    told = [getattr(config, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None)]
    return min((int(value) for value in told if value and value < 10_000_000), default=2048)


def _pad(tokenizer: Any) -> Any:
    return tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
