"""The policy that a vLLM engine samples for."""

import copy
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from palaestra.agents.engine.loading import load_weights
from palaestra.agents.engine.thread import Answer, Engine, Prompt, Reply, blame
from palaestra.agents.limits import reply_limits, stop_ids
from palaestra.agents.loading import cannot_load
from palaestra.agents.local import LocalPolicy, holds_adapters, multiplies_bfloat16
from palaestra.agents.policy import FinishReason, FloatArray, IntArray, Request, Sample
from palaestra.agents.probe import Agreement, Probe
from palaestra.agents.stopping import StopStrings
from palaestra.agents.weights import base_of, checkpoint_weights
from palaestra.envs.errors import InfrastructureError, UsageError
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase

__all__ = ["VllmPolicy"]

# Most replies at a time.
_REPLIES = 256
_NO_CODE = "The engine runs models that it knows; for this one take local:."
_CACHE_GIB_ON_CPU = 2.0
_CACHE_SHARE_OF_GPU = 0.25


class VllmPolicy:
    """A causal model that vLLM runs in this process, with continuous batching and a cache of prefixes.

    Attributes:
        tokenizer: Its tokenizer.
        name: The spec that names this policy.
        version: How many updates the weights have taken.
        context_limit: Most tokens of a context and its reply together.
        stop_ids: Ids that end a reply.
        dtype: What it computes with, such as `"bfloat16"`.
    """

    def __init__(
        self,
        source: str | Path,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        ends: tuple[int, ...],
        *,
        dtype: str | None = None,
        context_limit: int | None = None,
        cache_gib: float | None = None,
        random_weights: bool = False,
    ) -> None:
        on_gpu = torch.cuda.is_available()
        device = torch.device("cuda" if on_gpu else "cpu")
        self.tokenizer = tokenizer
        self.name = name
        self.version = 0
        self.stop_ids = ends
        self.dtype = dtype or ("bfloat16" if multiplies_bfloat16(device) else "float32")
        if cache_gib is None:
            total = torch.cuda.get_device_properties(device).total_memory if on_gpu else 0
            cache_gib = _CACHE_SHARE_OF_GPU * total / 2**30 if on_gpu else _CACHE_GIB_ON_CPU
        try:
            config = AutoConfig.from_pretrained(str(source), trust_remote_code=False).get_text_config()
        except (OSError, ValueError, KeyError) as error:
            raise cannot_load(name, error, _NO_CODE) from error
        self._vocabulary = int(config.vocab_size)
        arguments: dict[str, Any] = {
            "model": str(source),
            "skip_tokenizer_init": True,
            "dtype": self.dtype,
            "load_format": "dummy" if random_weights else "auto",
            "max_model_len": context_limit,
            "max_num_seqs": _REPLIES,
            "enable_prefix_caching": True,
            "kv_cache_memory_bytes": int(cache_gib * 2**30),
            # The share that vLLM would take for itself; the trainer lives on the same device.
            "gpu_memory_utilization": 0.05,
            "enforce_eager": not on_gpu,
            "generation_config": "vllm",
            "scheduling_policy": "priority",
            # New weights arrive between two steps, so no step may be under way ahead.
            "async_scheduling": False,
            "disable_log_stats": True,
        }
        self._engine = Engine(arguments)
        self.context_limit: int = self._engine.between_steps(_prepare)
        self._probe = Probe(self._vocabulary, self.context_limit)

    @classmethod
    def load(cls, path_or_id: str, **settings: Any) -> "VllmPolicy":
        """Load a model and its tokenizer.

        Args:
            path_or_id: A directory that transformers wrote, or an id of the Hugging Face hub.
            settings: `dtype`, `context_limit`, `cache_gib` (memory for keys and values).

        Raises:
            UsageError: If vLLM is not installed or does not take the model.
        """
        if holds_adapters(path_or_id):
            raise UsageError(f"{path_or_id!r} holds adapters; vllm: takes whole models. Merge them, or use local:.")
        try:
            tokenizer = AutoTokenizer.from_pretrained(path_or_id, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise cannot_load(path_or_id, error, _NO_CODE) from error
        try:
            generation = GenerationConfig.from_pretrained(path_or_id)
        except OSError:
            generation = None
        return cls(path_or_id, tokenizer, f"vllm:{quote(path_or_id)}", stop_ids(tokenizer, generation), **settings)

    @classmethod
    def beside(cls, policy: LocalPolicy, directory: Path, **settings: Any) -> "VllmPolicy":
        """Start an engine for the policy that a trainer updates, with its present weights.

        Args:
            policy: The trainer's.
            directory: Where configuration and tokenizer are put for vLLM to read.
            settings: As of `load`.

        Raises:
            UsageError: If vLLM is not installed or does not take the model.
            SynchronisationError: If it computes something else than the trainer.
        """
        base = base_of(policy.model)
        config = copy.deepcopy(base.config)
        config.architectures = [type(base).__name__]
        config.save_pretrained(directory)
        policy.tokenizer.save_pretrained(directory)
        settings.setdefault("context_limit", policy.context_limit)
        engine = cls(directory, policy.tokenizer, policy.name, policy.stop_ids, random_weights=True, **settings)
        try:
            engine.follow(policy)
        except BaseException:
            engine.close()
            raise
        return engine

    def submit(self, request: Request) -> Future[Sample]:
        """Begin to continue one context; see `Continuous`."""
        future: Future[Sample] = Future()
        try:
            prompt = self._prompt(request)
        except UsageError as error:
            future.set_exception(error)
        else:
            self._engine.submit(prompt, Answer(future, _sample))
        return future

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """Continue every context; see `Policy.sample`."""
        prompts = [self._prompt(request, index) for index, request in enumerate(requests)]
        answers = [Answer(Future(), _sample) for _ in prompts]
        for prompt, answer in zip(prompts, answers, strict=True):
            self._engine.submit(prompt, answer)
        return [answer.future.result() for answer in answers]

    def follow(self, policy: LocalPolicy) -> Agreement:
        """Take the weights of the trainer's policy, adapters merged, and its version; see `take`."""
        expected = self._probe.of(policy)
        return self.take(checkpoint_weights(policy.model), policy.version, expected)

    def take(self, weights: Iterable[tuple[str, Tensor]], version: int, expected: FloatArray) -> Agreement:
        """Take new weights between two steps and verify them; replies under way go on with them.

        What replies under way have read so far is read again with the new weights, and the cache of prefixes is
        emptied, so that every id is sampled from what exactly one version makes of its context.

        Args:
            weights: Names as in a checkpoint, and weights.
            version: Theirs; ids that are sampled from now on carry it.
            expected: What the trainer makes of the probe, see `Probe.of`.

        Returns:
            How near engine and trainer are.

        Raises:
            SynchronisationError: If they differ by more than rounding; the engine answers nobody any more.
        """
        return self._engine.between_steps(lambda engine: self._exchange(engine, weights, version, expected))

    def close(self) -> None:
        """Stop the engine and give its memory back."""
        self._engine.close()

    def _prompt(self, request: Request, index: int = 0) -> Prompt:
        """Put a request into vLLM's words; `index` names it in errors."""
        (limit,) = reply_limits([request], self.name, self.context_limit, self._vocabulary, index)
        sampling = request.sampling
        options = {
            "max_tokens": int(limit),
            "temperature": sampling.temperature,
            "top_k": min(sampling.top_k, self._vocabulary),
            "top_p": sampling.top_p,
            # Ours hold the tokenizer's end of sequence too.
            "ignore_eos": True,
            "stop_token_ids": list(self.stop_ids),
            "extra_args": {"seed": request.seed},
        }
        strings = StopStrings(self.tokenizer, sampling.stop) if sampling.stop else None
        return Prompt(request.context.tolist(), options, strings=strings)

    def _exchange(
        self, engine: Any, weights: Iterable[tuple[str, Tensor]], version: int, expected: FloatArray
    ) -> Agreement:
        """Do what `take` promises, on the engine's thread."""
        engine.collective_rpc(load_weights, args=(weights,))
        engine.reset_prefix_cache(reset_running_requests=True)
        engine.set_weight_version(str(version))
        # Nobody is answered with ids of weights that were not verified.
        ended: list[tuple[Answer, Reply]] = []
        probes = [Answer(Future(), lambda reply: reply.context_logprobs) for _ in self._probe.contexts]
        for context, probe in zip(self._probe.contexts, probes, strict=True):
            options = {"max_tokens": 1, "prompt_logprobs": 0, "extra_args": {"seed": 0}}
            self._engine.begin(engine, Prompt(context.tolist(), options, urgency=-1), probe)
        try:
            while not all(probe.future.done() for probe in probes):
                for answer, reply in self._engine.step(engine):
                    if answer in probes:
                        answer.give(reply)
                    else:
                        ended.append((answer, reply))
            found = np.array([probe.future.result() for probe in probes], np.float32)
            agreement = self._probe.compare(found, expected, self.dtype)
        except BaseException as error:
            for answer, _ in ended:
                answer.future.set_exception(blame(error))
            raise
        for answer, reply in ended:
            answer.give(reply)
        self.version = version
        return agreement


def _prepare(engine: Any) -> int:
    engine.set_weight_version("0")
    return int(engine.model_config.max_model_len)


def _sample(reply: Reply) -> Sample:
    ids = np.array(reply.ids, np.int32)
    logprobs = np.array(reply.logprobs, np.float32)
    if not np.isfinite(logprobs).all():
        raise InfrastructureError(
            "The engine's logits are not finite: the weights are broken, or their numbers overflow. Go back to an "
            "earlier checkpoint, lower the learning rate, or compute in float32."
        )
    versions: IntArray = np.zeros(len(ids), np.int32)
    for version, start, stop in reply.spans:
        versions[start:stop] = version
    return Sample(ids, logprobs, FinishReason(reply.finish), versions)
