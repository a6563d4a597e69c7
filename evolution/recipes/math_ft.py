"""Fine-tuning for mathematics: generator, then evaluator, then generator; answers by vote, weighed by the evaluator."""

from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import CapPerTask, KeepCorrect, KeepDistinct
from palaestra.evolution.refinement.judgement import TeachJudging
from palaestra.evolution.refinement.rewards import InTurn, Together
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["math_ft"]


def math_ft() -> Recipe:
    """Liu et al. 2023, "Improving large language model fine-tuning for solving math problems".

    As published: one model learns solutions, then to say whether a solution is right, then solutions again; sampled
    attempts at a held-out task are clustered by answer, and the 8 largest clusters are weighed by what the evaluator
    says.

    Not as published: solutions are the policy's own correct ones, not a data set's; while it learns to judge it goes on
    to learn solutions, and the other way round, because a small policy forgets one over the other; a cluster counts the
    sum of its members' probabilities of being right.
    """
    solutions = (KeepCorrect(), KeepDistinct(), CapPerTask(4))
    both = (Together((solutions, (TeachJudging(),))),)
    return Recipe(
        name="math-ft",
        acquire=SampleGroups(groups=500, attempts=8),
        refine=(InTurn((solutions, both, both)),),
        update=Finetune(start_from="last", epochs=3),
        evaluate=HeldOut(tasks=200, attempts=16, also=("majority", "reranked")),
        steps=3,
        evaluate_every=1,
        checkpoint_every=1,
    )
