"""Preferences from the world's verdicts: pairs of attempts, or good and bad attempts without pairs."""

from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.kto import Kto
from palaestra.evolution.updating.preference import Preference

__all__ = ["dpo", "kto"]


def dpo() -> Recipe:
    """Rafailov et al. 2023, "Direct preference optimization: your language model is secretly a reward model".

    As published: the loss, the policy at the start as reference, pairs of the policy's own replies to a prompt.

    Not as published: the world says which of two attempts is better, not people; and pairs come anew at each step from
    the policy as it is, not once from the policy at the start. `--set steps=1 --set acquire.groups=2000
    --set update.epochs=3` is one round, as published. `--set update.loss=ipo` is Azar et al. 2024.
    """
    return Recipe(
        name="dpo",
        acquire=SampleGroups(groups=64, attempts=8),
        refine=(),
        update=Preference(),
        evaluate=HeldOut(),
        steps=100,
    )


def kto() -> Recipe:
    """Ethayarajh et al. 2024, "KTO: model alignment as prospect theoretic optimization".

    As published: the loss, with the divergence estimated on prompts joined to replies to others.

    Not as published: the world says which episodes are good; episodes come anew at each step from the policy as it is.
    """
    return Recipe(
        name="kto",
        acquire=SampleGroups(groups=64, attempts=4),
        refine=(),
        update=Kto(),
        evaluate=HeldOut(),
        steps=100,
    )
