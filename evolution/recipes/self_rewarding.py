"""Self-rewarding: the policy judges its own replies, and its judgements are the pairs it learns from."""

from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.self_judged import SelfJudged
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.pairs import BestWorst
from palaestra.evolution.updating.preference import Preference

__all__ = ["self_rewarding"]


def self_rewarding() -> Recipe:
    """Yuan et al. 2024, "Self-rewarding language models".

    As published: several replies to a prompt, several judgements of each by the same model, averaged; the best against
    the worst reply as a pair for DPO; again with the model that came of it, which is then the reference.

    Not as published: a judgement is the word `right` or `wrong` in place of a score out of five, prompts are the
    environment's in place of made-up ones, and the model is not first trained to judge: take one that can, such as
    `nursery:verify`.
    """
    return Recipe(
        name="self-rewarding",
        acquire=SelfJudged(SampleGroups(groups=128, attempts=8), votes=4),
        refine=(),
        update=Preference(pairs=BestWorst(), reference="previous"),
        evaluate=HeldOut(),
        steps=60,
    )
