"""Policies of random weights that read and write characters, as folders."""

from pathlib import Path

import torch
from palaestra.agents.alphabet import build_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM


def save_newborn(folder: Path, positions: int = 256, width: int = 16) -> Path:
    """Save a policy of random weights, always the same; return the folder."""
    tokenizer = build_tokenizer(positions)
    sizes = {"hidden_size": width, "intermediate_size": width, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=positions, **sizes, **ids)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
