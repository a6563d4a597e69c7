"""Programs without labels: what most programs and most tests of one policy agree on is taken for right."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.consensus import KeepConsensus
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["codet"]


def codet() -> Recipe:
    """Chen et al. 2022, "CodeT: code generation with generated tests".

    As published: the same model writes programs and tests; programs that pass the same tests are a consensus set, its
    score is the number of its programs times that of its tests, and the best set wins; what judges know is not looked
    at. Here the programs of the best set are then imitated, and the base is fine-tuned.

    Not as published: the paper chooses an answer and trains nothing. A test's input is drawn, not written, and its
    output is what a program of the policy's own gives, of other attempts than those that are tested; scores take no
    root.
    """
    return Recipe(
        name="codet",
        acquire=SampleGroups(groups=200, attempts=32, sampling=Sampling(max_tokens=32, temperature=0.8)),
        refine=(KeepConsensus(),),
        update=Finetune(start_from="base"),
        evaluate=HeldOut(attempts=8),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
