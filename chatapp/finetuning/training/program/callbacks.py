"""What happens while it trains: figures are told, checkpoints sealed, samples taken, an end obeyed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from chatapp.finetuning.training.program import checkpoints
from chatapp.finetuning.training.program.models import peak_memory
from chatapp.finetuning.training.program.process import Stop
from chatapp.finetuning.training.program.reporting import Refused, Reporter
from chatapp.finetuning.training.program.sampling import Sampler

__all__ = ["Following"]

NOT_A_NUMBER = (
    "The loss is no number any more at step {step}: the training fell apart. Use a smaller learning rate, and look "
    "for odd rows in the data."
)


class Following(TrainerCallback):  # type: ignore[misc]
    """Tells the reporter, and lets nothing go on that cannot end well."""

    def __init__(self, report: Reporter, stop: Stop, sampler: Sampler, *, keeps_all: bool = False) -> None:
        """``keeps_all``: no checkpoint is left out, since the best of them is looked for at the end."""
        self.report, self.stop, self.sampler, self._keeps_all = report, stop, sampler, keeps_all
        self._pace = checkpoints.Pace()
        self._tokens = self._seconds = 0.0
        self.eval_loss: float | None = None
        self.loss: float | None = None
        self.speeds: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.report.alive(step=state.global_step, max_steps=state.max_steps)
        self._pace.may_begin()
        if self.stop.asked:
            control.should_training_stop = True
            control.should_save = True
        elif self._pace.too_soon and not self._keeps_all:
            control.should_save = False

    def on_substep_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.report.alive()

    def on_prediction_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.report.alive()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        logs = logs or {}
        if "loss" not in logs:
            return
        self.loss = float(logs["loss"])
        if not (math.isfinite(self.loss) and math.isfinite(float(logs.get("grad_norm", 0)))):
            raise Refused("diverged", NOT_A_NUMBER.format(step=state.global_step))
        self.report.say(
            "log", step=state.global_step, max_steps=state.max_steps, loss=self.loss,
            learning_rate=logs.get("learning_rate"), tokens_per_second=self._speed(logs), memory=peak_memory(),
        )  # fmt: skip

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any] | None = None, **m: Any) -> None:
        found = (metrics or {}).get("eval_loss")
        if found is not None:
            self.eval_loss = float(found)
            self.report.say("eval", step=state.global_step, max_steps=state.max_steps, eval_loss=self.eval_loss)
        if 0 < state.global_step < state.max_steps:  # those before are taken by then, the last ones of what is saved
            self.sampler.take(state.global_step)
        self._pace.may_begin()  # it is saved after it was looked at

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        folder = Path(args.output_dir) / f"{checkpoints.PREFIX}{state.global_step}"
        checkpoints.seal(folder)
        self.report.say("checkpoint", step=state.global_step, path=str(folder))
        self._pace.ended()

    def _speed(self, logs: dict[str, Any]) -> float | None:
        """Return tokens a second since the last line; the first one still warms up."""
        tokens, seconds = float(logs.get("num_tokens", 0)), self.report.seconds
        before, self._tokens = self._tokens, tokens
        since, self._seconds = self._seconds, seconds
        if not before or seconds <= since:
            return None
        self.speeds.append((tokens - before) / (seconds - since))
        return self.speeds[-1]
