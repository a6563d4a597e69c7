"""How vLLM's model runner chooses tokens here: as `palaestra.agents.choose` does.

vLLM's own sampler reports log-probabilities either before the temperature or after top-k and top-p, and on the CPU its
seeded requests break when a context is read in several pieces. This one reports what `Sample.logprobs` promises, and a
request's seed names the same stream of numbers as it does with a local policy. It keeps the log-probabilities itself:
handed on by vLLM, token by token and request by request, they would cost a tenth of the time of a small model.
"""

from typing import Any

import torch
from palaestra.agents.choose import BLOCK, draw_tokens, draw_uniforms
from palaestra.agents.policy import FloatArray
from torch import Tensor
from vllm.v1.outputs import SamplerOutput
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.sampler import Sampler

__all__ = ["SeededSampler"]

# What vLLM, too, takes for greedy.
_GREEDY_BELOW = 1e-5


class SeededSampler(Sampler):  # type: ignore[misc]  # vLLM is not installed where types are checked
    """Chooses the next token of every request in the runner's batch.

    Args:
        runner: The model runner, whose requests carry their seed in `extra_args`.

    Attributes:
        said: By vLLM's name of a request, log-probabilities of the ids sampled for it so far; who reads one when its
            request has ended takes it out.
    """

    def __init__(self, runner: Any) -> None:
        super().__init__()
        self._runner = runner
        self.said: dict[str, list[float]] = {}
        # By request: which block of its stream is here, and the block.
        self._blocks: dict[str, tuple[int, FloatArray]] = {}

    def forward(
        self,
        logits: Tensor,
        sampling_metadata: SamplingMetadata,
        predict_bonus_token: bool = False,
        logprobs_mode_override: str | None = None,
    ) -> SamplerOutput:
        """Choose from `[B, V]` logits, row i for request i of the batch."""
        del predict_bonus_token, logprobs_mode_override
        names = self._runner.input_batch.req_ids[: len(logits)]
        steps = [len(self._runner.requests[name].output_token_ids) for name in names]
        scores, greedy = logits.float(), None
        if sampling_metadata.temperature is not None:
            greedy = (sampling_metadata.temperature < _GREEDY_BELOW)[:, None]
            scores = scores / torch.where(greedy, 1.0, sampling_metadata.temperature[:, None])
        logprobs = scores.log_softmax(-1)
        if sampling_metadata.all_greedy:
            tokens = scores.argmax(-1, keepdim=True)
        else:
            cuts = [None if cut is None else cut[:, None] for cut in (sampling_metadata.top_k, sampling_metadata.top_p)]
            tokens = draw_tokens(logprobs.exp(), self._uniforms(names, steps).to(logits.device), *cuts)
            if greedy is not None and not sampling_metadata.all_random:
                tokens = torch.where(greedy, scores.argmax(-1, keepdim=True), tokens)
        ids = tokens.to(torch.int32)
        self._note(names, steps, logprobs.gather(1, tokens)[:, 0].tolist())
        return SamplerOutput(sampled_token_ids=ids, logprobs_tensors=None)

    def _note(self, names: list[str], steps: list[int], logprobs: list[float]) -> None:
        """Keep what was sampled; a context that is read in pieces is sampled for in vain until its last."""
        if len(self.said) > 2 * len(self._runner.requests) + BLOCK:  # some ended without anybody reading them
            self.said = {name: line for name, line in self.said.items() if name in self._runner.requests}
        for name, step, logprob in zip(names, steps, logprobs, strict=True):
            line = self.said.setdefault(name, [])
            if step < len(line):
                line[step] = logprob
            else:
                line.append(logprob)

    def _uniforms(self, names: list[str], steps: list[int]) -> Tensor:
        """Return the `[B, 1]` next number of every request's stream."""
        if len(self._blocks) > 2 * len(self._runner.requests) + BLOCK:
            self._blocks = {name: block for name, block in self._blocks.items() if name in self._runner.requests}
        due: dict[int, list[str]] = {}
        for name, step in zip(names, steps, strict=True):
            if self._blocks.get(name, (-1,))[0] != step // BLOCK:
                due.setdefault(step // BLOCK, []).append(name)
        for number, late in due.items():
            seeds = [self._runner.requests[name].sampling_params.extra_args["seed"] for name in late]
            for name, block in zip(late, draw_uniforms(seeds, number), strict=True):
                self._blocks[name] = number, block
        numbers = [self._blocks[name][1][step % BLOCK] for name, step in zip(names, steps, strict=True)]
        return torch.tensor(numbers, dtype=torch.float32)[:, None]
