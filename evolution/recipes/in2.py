"""Information-intensive training: answers that lie anywhere in a long document, so that no place is passed over."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.demonstrate import Demonstrate
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["in2"]


def in2() -> Recipe:
    """An et al. 2024, "Make your LLM fully utilize the context".

    As published: fine-tuning on synthesised questions whose answer lies in one short segment of a long document, every
    position as likely as any other, or in several segments; with some questions about short documents among them, so
    that what was known there is not lost.

    Not as published: segments are facts that a generator writes, not texts about which a language model asks; the mix
    is the environment's (`reading?short=0.1&chain=2`), and there is no general instruction data.
    """
    return Recipe(
        name="in2",
        acquire=Demonstrate(tasks=256, sampling=Sampling(max_tokens=32)),
        refine=(),
        update=Finetune(start_from="last"),
        evaluate=HeldOut(sampling=Sampling(max_tokens=32), also=("positions",)),
        steps=40,
    )
