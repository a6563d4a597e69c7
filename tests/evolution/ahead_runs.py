"""Runs that play while they learn, small enough to test."""

from pathlib import Path

import torch
from palaestra.agents.alphabet import build_tokenizer
from palaestra.evolution.pace import lags
from palaestra.evolution.run import Run
from transformers import LlamaConfig, LlamaForCausalLM

ENV = "late_worlds:late/Say-v0"
GROUPS, ATTEMPTS = 4, 4


def newborn_policy(folder: Path) -> str:
    """A policy of random weights in a folder; its spec."""
    tokenizer = build_tokenizer(256)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **sizes, **ids))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"local:{folder}"


def settings(**changes: object) -> dict[str, object]:
    return {
        "steps": 12,
        "evaluate_every": 100,
        "checkpoint_every": 4,
        "acquire.groups": GROUPS,
        "acquire.attempts": ATTEMPTS,
        "acquire.sampling.max_tokens": 3,
        "evaluate.tasks": 4,
        "evaluate.sampling.max_tokens": 3,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }


def learned(place: Path) -> dict[int, list[int]]:
    """By step, by how many versions each token that was learned from was behind."""
    lived, found = Run.open(place, read_only=True), {}
    for row in lived.lineage():
        episodes = [e for e in lived.experience.read(row["experience"]) if e.id in set(row["learned_from"])]
        found[row["step"]] = lags(episodes, row["version_before"]).tolist()
    return found
