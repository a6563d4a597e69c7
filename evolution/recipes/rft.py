"""Rejection-sampling fine-tuning: sample, keep what is right and different, imitate it from the base."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import CapPerTask, KeepCorrect, KeepDistinct
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["rft"]


def rft() -> Recipe:
    """Yuan et al. 2023, "Scaling relationship on learning mathematical reasoning with large language models".

    As published: one round, the base fine-tuned on distinct correct samples at temperature 0.7. More rounds
    (`--set steps=3`) sample from the last policy and again train from the base.
    """
    return Recipe(
        name="rft",
        acquire=SampleGroups(groups=1_000, attempts=8, sampling=Sampling(max_tokens=64, temperature=0.7)),
        refine=(KeepCorrect(), KeepDistinct(), CapPerTask(4)),
        update=Finetune(start_from="base", epochs=3),
        evaluate=HeldOut(),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
