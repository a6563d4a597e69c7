"""Exploration-based trajectory optimisation: contrast whole failed trajectories with successful ones."""

from palaestra.evolution.acquisition.demonstrate import Demonstrate, SampleBesideDemonstrations
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.in_turn import AcquireInTurn
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.finetune import Finetune
from palaestra.evolution.updating.in_turn import UpdateInTurn
from palaestra.evolution.updating.pairs import SuccessFailure
from palaestra.evolution.updating.preference import Preference

__all__ = ["eto"]

_SHOWN = 640


def eto() -> Recipe:
    """Song et al. 2024, "Trial and error: exploration-based trajectory optimization for LLM agents".

    As published: cloning of an expert's trajectories first; then the policy explores the same tasks, and its failed
    trajectories, whole, are the worse side of DPO pairs; repeated, the policy as it is before each call the reference.

    Not as published: the better side is the policy's own success where there is one, besides the expert's; the paper
    goes through three iterations of many epochs, here there are more and shorter ones.
    """
    stages = (10, 30)
    sample = SampleGroups(groups=64, attempts=4)
    return Recipe(
        name="eto",
        acquire=AcquireInTurn(
            stages, (Demonstrate(tasks=64, pool=_SHOWN), SampleBesideDemonstrations(sample, pool=_SHOWN))
        ),
        refine=(),
        update=UpdateInTurn(
            stages, (Finetune(start_from="last"), Preference(pairs=SuccessFailure(), reference="previous"))
        ),
        evaluate=HeldOut(),
        steps=sum(stages),
        evaluate_every=10,
    )
