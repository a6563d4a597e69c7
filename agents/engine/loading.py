"""New weights for a vLLM engine that is at work, and what is left stale without care."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor

__all__ = ["load_weights"]


def load_weights(worker: Any, weights: Iterable[tuple[str, Tensor]]) -> None:
    """Load weights, by the names of a checkpoint, into a worker's model in place.

    On the CPU vLLM multiplies by packed copies of the weights. Its reload packs every layer that it was given weights
    for; an output head tied to the word embeddings is given none, so its copy would stay as it was.
    """
    from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead, VocabParallelEmbedding

    worker.reload_weights(weights_iterator=weights)
    layers = [layer for layer in worker.get_model().modules() if isinstance(layer, VocabParallelEmbedding)]
    embedded = {id(layer.weight) for layer in layers if not isinstance(layer, ParallelLMHead)}
    for layer in layers:
        if isinstance(layer, ParallelLMHead) and id(layer.weight) in embedded:
            layer.quant_method.process_weights_after_loading(layer)
