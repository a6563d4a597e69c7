"""The policy over any causal model that transformers loads."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import torch
from palaestra.agents.cache import Footprint
from palaestra.agents.decode import continue_batch
from palaestra.agents.limits import reply_limits, stop_ids
from palaestra.agents.loading import cannot_load
from palaestra.agents.policy import IntArray, Request, Sample
from palaestra.envs.errors import InfrastructureError
from peft import (
    LoraConfig,
    PeftConfig,
    PeftModel,
    get_peft_model,
)
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["LocalPolicy", "holds_adapters", "multiplies_bfloat16"]

# Fixed numbers, not the memory that happens to be free: which requests share a batch decides how their logits are
# rounded, and the same run should sample the same tokens tomorrow.
_BATCH_BYTES_ON_CPU = 2 * 2**30
_BATCH_SHARE_OF_GPU = 0.25
# A step costs launching its kernels, which a GPU could read thousands of tokens in (not measured there).
_STEP_TOKENS_ON_CPU = 128
_STEP_TOKENS_ON_GPU = 4096
# For models that know no positions and tokenizers that know no limit.
_LONGEST_CONTEXT = 2**20


class LocalPolicy:
    """A causal model in this process.

    Attributes:
        model: The model; whoever changes its weights increments `version`.
        tokenizer: Its tokenizer.
        name: The spec that names this policy.
        version: How many updates the weights have taken.
        context_limit: Most tokens of a context and its reply together.
        trust_remote_code: Whether code that comes with its checkpoints may be run.
        batch_bytes: Memory for one batch's cache and logits; what does not fit is answered in further batches.
        step_tokens: How many tokens of padding are read in the time that one more step of a small batch takes.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, version: int = 0) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.version = version
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.context_limit = int(positions or min(tokenizer.model_max_length, _LONGEST_CONTEXT))
        self.trust_remote_code = False
        self.batch_bytes = _BATCH_BYTES_ON_CPU
        self.step_tokens: float = _STEP_TOKENS_ON_CPU
        if self.device.type == "cuda":
            self.step_tokens = _STEP_TOKENS_ON_GPU
            self.batch_bytes = int(_BATCH_SHARE_OF_GPU * torch.cuda.get_device_properties(self.device).total_memory)
        self._footprint = Footprint.of(model)

    @classmethod
    def load(
        cls, path_or_id: str | Path, *, trainable: bool = False, lora_rank: int = 0, trust_remote_code: bool = False
    ) -> "LocalPolicy":
        """Load a model and its tokenizer onto the GPU where there is one.

        Weights are bfloat16 where the hardware multiplies it. Weights that will be trained are float32; under
        adapters the model's own weights are not trained, and on a GPU stay bfloat16.

        Args:
            path_or_id: A directory that transformers or peft wrote, or an id of the Hugging Face hub.
            trainable: Whether the weights will be updated.
            lora_rank: Above 0, add fresh LoRA adapters of this rank to all linear layers; only they are trained.
            trust_remote_code: Whether to run Python code that comes with the model, in this process and with all its
                rights. Without it no such code is run, and nobody is asked.

        Raises:
            UsageError: If no causal model and tokenizer can be loaded from there.
        """
        source = str(path_or_id)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        adapted = lora_rank > 0 or holds_adapters(source)
        full = (trainable and not (adapted and device.type == "cuda")) or not multiplies_bfloat16(device)
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
            # Adapters remember where their base came from; a relative path would hold in one folder only.
            lasting = str(Path(source).resolve()) if Path(source).is_dir() else source
            model = _loaded(lasting, torch.float32 if full else torch.bfloat16, trainable, trust_remote_code)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            trusting = f"local:{quote(source)}?trust_remote_code=true"
            raise cannot_load(source, error, f"If you have read it and trust it, write {trusting}.") from error
        if lora_rank > 0:
            model = _with_adapters(model, lora_rank)
        model.to(device)  # type: ignore[arg-type]  # its decorator hides the signature
        options = [f"lora={lora_rank}"] * (lora_rank > 0) + ["trust_remote_code=true"] * trust_remote_code
        policy = cls(model, tokenizer, f"local:{quote(source)}" + ("?" + "&".join(options) if options else ""))
        policy.trust_remote_code = trust_remote_code
        return policy

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids that end a reply: the tokenizer's end of sequence and those of the generation configuration."""
        return stop_ids(self.tokenizer, getattr(self.model, "generation_config", None))

    def save(self, directory: str | Path) -> None:
        """Write weights (safetensors; of a model with adapters only these) and tokenizer into `directory`."""
        self.model.save_pretrained(str(directory))
        self.tokenizer.save_pretrained(str(directory))

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """Continue every context; see `Policy.sample`.

        Raises:
            InfrastructureError: If the model's logits are not finite, or memory runs out.
            UsageError: If a context is empty, leaves no room for a reply, or holds an id the model does not know.
        """
        if not requests:
            return []
        limits = reply_limits(requests, self.name, self.context_limit, self._footprint.vocabulary)
        samples: dict[int, Sample] = {}
        training = self.model.training
        self.model.train(False)
        try:
            for batch in self._batches(requests, limits):
                answers = continue_batch(
                    self.model,
                    self.tokenizer,
                    [requests[i] for i in batch],
                    limits=limits[batch],
                    stop_ids=self.stop_ids,
                    position_limit=self.context_limit,
                    version=self.version,
                )
                samples.update(zip(batch, answers, strict=True))
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if type(error) is RuntimeError and "allocate memory" not in str(error):
                raise
            raise InfrastructureError(
                f"Out of memory on {self.device} while sampling {len(requests)} replies of {self.name}: lower "
                f"max_tokens or `batch_bytes` (now {self.batch_bytes:,}), or take a smaller model."
            ) from error
        finally:
            self.model.train(training)
        return [samples[i] for i in range(len(requests))]

    def _batches(self, requests: Sequence[Request], limits: IntArray) -> Iterator[list[int]]:
        """Divide the requests, by length of context, into batches that fit into `batch_bytes` (or hold one row).

        A batch also ends where reading it, padded to its longest context, would cost more than another one's steps.
        """
        batch: list[int] = []
        distinct: set[bytes] = set()
        reply = width = padding = 0
        for i in sorted(range(len(requests)), key=lambda i: len(requests[i].context)):
            context, most = requests[i].context, max(reply, int(limits[i]))
            padding += len(distinct) * (len(context) - width)
            full = (len(batch) + 1) * self._footprint.row_bytes(len(context), most) > self.batch_bytes
            if batch and (full or padding > most * self.step_tokens):
                yield batch
                batch, distinct, padding, most = [], set(), 0, int(limits[i])
            batch.append(i)
            distinct.add(context.tobytes())  # equal contexts are read once
            reply, width = most, len(context)
        yield batch


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16, so that it is the faster type."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def holds_adapters(directory: str | Path) -> bool:
    """Return whether a directory holds adapters, whose base lies elsewhere."""
    return (Path(directory) / "adapter_config.json").is_file()


def _loaded(source: str, dtype: torch.dtype, trainable: bool, trust: bool) -> PreTrainedModel:
    if holds_adapters(source):
        base = PeftConfig.from_pretrained(source).base_model_name_or_path
        bare = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, trust_remote_code=trust)
        adapted: PreTrainedModel = PeftModel.from_pretrained(bare, source, is_trainable=trainable)
        return adapted
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, trust_remote_code=trust)
    return model


def _with_adapters(model: PreTrainedModel, rank: int) -> PreTrainedModel:
    # peft draws the adapters from torch's global generator, which is not ours to advance.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plan = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, target_modules="all-linear")
        adapted: PreTrainedModel = get_peft_model(model, plan)
    return adapted
