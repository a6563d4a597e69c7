"""Supervised fine-tuning: imitate the world's own demonstrations."""

from palaestra.evolution.acquisition.demonstrate import Demonstrate
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["sft"]


def sft() -> Recipe:
    """Ouyang et al. 2022, "Training language models to follow instructions with human feedback", the first step.

    As published: cross-entropy on what the demonstrator said, in the contexts in which it was said.

    Not as published: the demonstrator is the environment itself, so there is no end of demonstrations;
    `--set acquire.pool=500` gives those of 500 tasks alone, which then come again.
    """
    return Recipe(
        name="sft",
        acquire=Demonstrate(tasks=256),
        refine=(),
        update=Finetune(start_from="last"),
        evaluate=HeldOut(),
        steps=20,
        evaluate_every=5,
        checkpoint_every=5,
    )
