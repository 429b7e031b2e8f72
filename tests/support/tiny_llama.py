"""A randomly initialised Llama of a hundred thousand weights, made where a test needs a model to train and serve.

As a program (the test's own process never imports torch): ``python tests/support/tiny_llama.py FOLDER TEXTS.txt``. Further
arguments: window, width, seed, and an object of JSON with what else the configuration shall say, for larger ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make(folder: Path, texts: Iterable[str], *, window: int = 1024, hidden: int = 64, seed: int = 1) -> Path:
    """Make the model in a process of its own and return its folder; its tokenizer learns from the texts."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder.with_suffix(".txt")
    listed.write_text("\n".join(texts), encoding="utf-8")
    subprocess.run(
        [sys.executable, __file__, str(folder), str(listed), str(window), str(hidden), str(seed)],
        check=True, timeout=120,
    )  # fmt: skip
    return folder


def _make(
    folder: Path, texts: list[str], *, window: int, hidden: int, seed: int, more: Mapping[str, Any] | None = None
) -> None:  # fmt: skip
    more = more or {}
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bytes_ = Tokenizer(models.BPE())
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    bytes_.train_from_iterator(texts, trainer)
    if "vocab_size" in more:  # every number of the model is some text, though no text is read as most of them
        whole = json.loads(bytes_.to_str())
        vocabulary = whole["model"]["vocab"]
        vocabulary |= {f"w{number}": number for number in range(len(vocabulary), more["vocab_size"])}
        bytes_ = Tokenizer.from_str(json.dumps(whole))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_, pad_token=SPECIAL[0], eos_token=SPECIAL[2], model_max_length=window
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(seed)
    small = {
        "vocab_size": len(tokenizer), "intermediate_size": 2 * hidden, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "tie_word_embeddings": True,
    }  # fmt: skip
    config = LlamaConfig(
        **{**small, **more}, hidden_size=hidden, max_position_embeddings=window, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    large = torch.cuda.is_available() and bool(more)  # a billion random numbers take a processor half a minute
    with torch.device("cuda" if large else "cpu"):
        model = LlamaForCausalLM(config)
    if more:
        model = model.to(torch.bfloat16)  # as such models are given away
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    where, learnt, *numbers = sys.argv[1:]
    given = numbers or ["1024", "64", "1"]
    window_, hidden_, seed_ = (int(number) for number in given[:3])
    _make(
        Path(where), Path(learnt).read_text(encoding="utf-8").splitlines(), window=window_, hidden=hidden_, seed=seed_,
        more=json.loads(given[3]) if given[3:] else {},
    )  # fmt: skip
