"""One training run from its job to its result. Imported only in the trainer's own process: it brings torch."""

from __future__ import annotations

import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import set_seed
from trl import SFTConfig, SFTTrainer

from chatapp.finetuning.artifacts import BadArtifact
from chatapp.finetuning.training.program import checkpoints, result
from chatapp.finetuning.training.program.callbacks import Following
from chatapp.finetuning.training.program.job import Job
from chatapp.finetuning.training.program.models import (
    adapter_of,
    check_base,
    device_name,
    has_gpu,
    load_model,
    load_tokenizer,
    peak_memory,
)
from chatapp.finetuning.training.program.process import Stop, only_one
from chatapp.finetuning.training.program.reporting import Refused, Reporter
from chatapp.finetuning.training.program.rows import Row, check_lengths, facts_of, read_rows
from chatapp.finetuning.training.program.sampling import Sampler
from chatapp.finetuning.training.recipes import Recipe

__all__ = ["run"]

POINTS = 200
"""A curve of more would not look different."""


def run(job: Job) -> int:
    """Train; tell how it ended, and return the process's exit status."""
    with closing(Reporter(Path(job.progress))) as report, only_one(Path(job.folder)) as free:
        if not free:
            report.say("failed", code="busy", message="Another process still trains this run.", permanent=False)
            return 1
        try:
            _train(job, report)
        except Refused as error:
            report.say("failed", code=error.code, message=error.message, permanent=error.permanent)
        except BadArtifact as error:
            report.say("failed", code="result", message=str(error), permanent=True)
        except (MemoryError, torch.OutOfMemoryError):
            traceback.print_exc()
            report.say("failed", code="memory", message=OUT_OF_MEMORY, permanent=True)
        except Exception as error:  # boundary of the process: whatever it was, it is said in words and in the log
            traceback.print_exc()
            said = f"The trainer stopped with an error ({type(error).__name__}). Its log says more."
            report.say("failed", code="unexpected", message=said, permanent=False)
        else:
            return 0
    return 1


OUT_OF_MEMORY = (
    "The memory is not enough for this run. Take fewer rows at once (and more batches a step), shorter rows, or "
    "QLoRA, which needs the least."
)


def _train(job: Job, report: Reporter) -> None:
    stop = Stop(job.stop_file)
    report.say("stage", stage="loading")
    check_base(job, report)
    rows, held_out = read_rows(job.rows("train")), read_rows(job.rows("eval"))
    data = {split: facts_of(job.rows(split)) for split in ("train", "eval")}
    if not rows:
        raise Refused("rows", "There are no rows to train on. Approve some, and freeze the data again.")
    tokenizer = load_tokenizer(job)
    lengths = check_lengths(tokenizer, [*rows, *held_out], most=job.recipe.max_length)
    parameters = int(job.about.get("parameters", 0))
    if not has_gpu() and parameters > job.cpu_parameters:
        raise Refused(
            "no_gpu", f"This model has {parameters:,} parameters, and without a GPU only up to {job.cpu_parameters:,} "
            "are trained: it would take weeks. Use a smaller base model, a machine with a GPU, or a provider.",
        )  # fmt: skip
    sampler = Sampler(
        tokenizer, held_out[: job.samples], report, tokens=job.sample_tokens, window=job.recipe.max_length
    )
    following = Following(report, stop, sampler, keeps_all=bool(job.recipe.early_stopping))
    resumed = checkpoints.newest_good(job.checkpoints)
    trainer = _trainer(job, tokenizer, rows, held_out, following, anew=resumed is None)
    sampler.model = trainer.model
    trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    report.say("start", device=device_name(), trainable=trained, resumed_from=resumed[0] if resumed else None)
    report.say("stage", stage="training")
    if resumed is None:
        sampler.take(0)
    trainer.train(resume_from_checkpoint=str(resumed[1]) if resumed else None)
    if stop.asked and trainer.state.global_step < trainer.state.max_steps:
        report.say("stopped", step=trainer.state.global_step)
        return
    _finish(job, report, trainer, tokenizer, following, data, lengths)


def _finish(
    job: Job, report: Reporter, trainer: Any, tokenizer: Any, following: Following, data: dict[str, Any],
    lengths: list[int],
) -> None:  # fmt: skip
    report.say("stage", stage="saving")
    step = int(trainer.state.global_step)
    following.sampler.take(step)
    digest = result.keep(trainer.model, tokenizer, job)
    speeds = sorted(following.speeds)
    metrics = {
        "loss": following.loss, "eval_loss": following.eval_loss, "steps": step, "memory": peak_memory(),
        "tokens_per_second": speeds[len(speeds) // 2] if speeds else None, "device": device_name(),
        "seconds": report.seconds, "tokens": sum(lengths),
    }  # fmt: skip
    curve = {"steps": [line["step"] for line in trainer.state.log_history if "loss" in line],
             "loss": [line["loss"] for line in trainer.state.log_history if "loss" in line]}  # fmt: skip
    record = result.record_of(job, digest=digest, tokenizer=tokenizer, data=data, lengths=lengths, curve=curve)
    result.write_record(job, {**record, "metrics": metrics})
    report.say("done", digest=digest, metrics=metrics)


def _trainer(
    job: Job, tokenizer: Any, rows: list[Row], held_out: list[Row], following: Following, *, anew: bool
) -> Any:  # fmt: skip
    set_seed(job.recipe.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_num_threads(job.threads)
    trainer = SFTTrainer(
        model=load_model(job), args=_arguments(job, rows=len(rows), held_out=len(held_out), anew=anew),
        train_dataset=_data(rows), eval_dataset=_data(held_out) if held_out else None, processing_class=tokenizer,
        callbacks=[following], peft_config=adapter_of(job.recipe),
    )  # fmt: skip
    if job.recipe.early_stopping and held_out:
        from transformers import EarlyStoppingCallback

        trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=job.recipe.early_stopping))
    return trainer


def _data(rows: list[Row]) -> Any:
    return Dataset.from_list([{"prompt": row.prompt, "completion": row.answer} for row in rows])


def _arguments(job: Job, *, rows: int, held_out: int, anew: bool) -> Any:
    """``anew``: it does not go on from a checkpoint. Else a look would count as one without improvement."""
    recipe, steps = job.recipe, job.recipe.steps(rows)
    looks = bool(held_out and recipe.evaluations)
    every = max(1, steps // max(1, recipe.evaluations))
    best = bool(recipe.early_stopping and looks)
    return SFTConfig(
        output_dir=str(job.checkpoints), per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=recipe.batch, gradient_accumulation_steps=recipe.accumulation,
        num_train_epochs=recipe.epochs, learning_rate=recipe.learning_rate, lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup_share, weight_decay=recipe.weight_decay, max_length=recipe.max_length,
        completion_only_loss=True, packing=False, seed=recipe.seed, data_seed=recipe.seed,
        logging_steps=max(1, steps // POINTS), logging_first_step=True, logging_nan_inf_filter=False,
        save_strategy="steps", save_steps=every if best else max(1, min(50, steps // 10)), save_total_limit=2,
        eval_strategy="steps" if looks else "no", eval_steps=every if looks else None,
        eval_on_start=looks and anew,
        load_best_model_at_end=best, metric_for_best_model="eval_loss" if best else None,
        greater_is_better=False if best else None, optim=_optimizer(recipe), bf16=has_gpu(), use_cpu=not has_gpu(),
        gradient_checkpointing=has_gpu(), dataloader_num_workers=0, dataloader_pin_memory=has_gpu(),
        report_to="none", disable_tqdm=True,
    )  # fmt: skip


def _optimizer(recipe: Recipe) -> str:
    if not has_gpu():
        return "adamw_torch"
    return "paged_adamw_8bit" if recipe.method == "qlora" else "adamw_torch_fused"
