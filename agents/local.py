"""The policy over any causal model that transformers loads."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from palaestra.agents.decode import continue_batch, row_bytes
from palaestra.agents.policy import IntArray, Request, Sample
from palaestra.envs.errors import InfrastructureError, UsageError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["LocalPolicy"]

# A fixed number, not the memory that happens to be free: which requests share a batch decides how logits are rounded,
# and the same run must sample the same tokens tomorrow.
_BATCH_BYTES_ON_CPU = 2 * 2**30
_BATCH_SHARE_ON_GPU = 0.25


class LocalPolicy:
    """A causal model in this process.

    Attributes:
        model: The model; a trainer may change its weights and then increments `version`.
        tokenizer: Its tokenizer.
        name: The spec that names this policy.
        version: How many updates the weights have taken.
        context_limit: Most tokens of a context and its reply together.
        batch_bytes: Memory for one batch's cache and logits; more requests are answered in several batches.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, version: int = 0
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.version = version
        self.context_limit = _context_limit(model, tokenizer)
        self.batch_bytes = _BATCH_BYTES_ON_CPU
        if self.device.type == "cuda":
            self.batch_bytes = int(_BATCH_SHARE_ON_GPU * torch.cuda.get_device_properties(self.device).total_memory)

    @classmethod
    def load(cls, path_or_id: str | Path, *, trainable: bool = False, lora_rank: int = 0) -> "LocalPolicy":
        """Load a model and its tokenizer.

        Weights are bfloat16 on a GPU and on processors that multiply it, else float32. Weights that will be trained
        are float32; a model that is trained through adapters keeps its own weights as above on a GPU.

        Args:
            path_or_id: A directory, or an id of the Hugging Face hub; a directory of adapters that peft wrote also.
            trainable: Whether the weights will be updated.
            lora_rank: Above 0, add fresh LoRA adapters of this rank; they alone are trained.

        Raises:
            UsageError: If no causal model and tokenizer can be loaded from there.
        """
        source = str(path_or_id)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        whole = trainable and (device.type == "cpu" or lora_rank == 0)
        dtype = torch.float32 if whole or not _multiplies_bfloat16(device) else torch.bfloat16
        try:
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = _load_model(source, dtype, trainable)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            first = str(error).strip().split("\n")[0]
            raise UsageError(
                f"Cannot load a causal language model from {source!r}: {first} Expected a directory that transformers "
                "or peft wrote (config.json or adapter_config.json, safetensors, tokenizer) or an id of the hub; an "
                "id needs a network or an earlier download."
            ) from error
        if lora_rank > 0:
            model = _with_adapters(model, lora_rank)
        return cls(model.to(device), tokenizer, f"local:{source}" + (f"?lora={lora_rank}" if lora_rank else ""))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids that end a reply: the tokenizer's end and those of the generation configuration."""
        ends: set[int] = set()
        configured = self.model.generation_config.eos_token_id if self.model.generation_config else None
        for end in (self.tokenizer.eos_token_id, configured):
            ends.update([] if end is None else [end] if isinstance(end, int) else end)
        return tuple(sorted(ends))

    def save(self, directory: str | Path) -> None:
        """Write weights (safetensors; only the adapters where there are some) and tokenizer into `directory`."""
        self.model.save_pretrained(directory)
        self.tokenizer.save_pretrained(str(directory))

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """Continue every context; see `Policy.sample`."""
        limits = np.array([self._limit(request) for request in requests], np.int32)
        samples: list[Sample | None] = [None] * len(requests)
        training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for batch in self._batches(requests, limits):
                    answers = continue_batch(
                        self.model,
                        [requests[i] for i in batch],
                        limits=limits[batch],
                        stop_ids=self.stop_ids,
                        position_limit=self.context_limit,
                        version=self.version,
                    )
                    for i, answer in zip(batch, answers, strict=True):
                        samples[i] = answer
        finally:
            self.model.train(training)
        return [sample for sample in samples if sample is not None]

    def _limit(self, request: Request) -> int:
        size = len(request.context)
        if size == 0:
            raise UsageError("A context must hold at least one token, got none.")
        return min(request.sampling.max_tokens, self.context_limit - size)

    def _batches(self, requests: Sequence[Request], limits: IntArray) -> Iterator[list[int]]:
        order = sorted(range(len(requests)), key=lambda i: len(requests[i].context))
        if order:
            yield order


def _context_limit(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    return int(model.config.get_text_config().max_position_embeddings)
def _load_model(*a:Any): ...
def _with_adapters(*a:Any): ...
def _multiplies_bfloat16(*a:Any): ...
