"""Reinforced self-training: grow a set of samples, improve on ever better parts of it. And its plainer sibling."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.replay import Grow
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import CapPerTask, KeepCorrect
from palaestra.evolution.refinement.rewards import KeepRising
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["rest", "rest_em"]


def rest() -> Recipe:
    """Gulcehre et al. 2023, "Reinforced self-training (ReST) for language modeling".

    As published: one Grow step samples, several Improve steps imitate what reaches a threshold that rises, each going
    on from the last; imitation, which the paper found better than offline losses of reinforcement learning.

    Not as published: rewards are the environment's, not a learned model's, and the original data set is not mixed in.
    Thresholds mean something where replies can be partly right, as in `synthesis?credit=share`.
    """
    return Recipe(
        name="rest",
        acquire=Grow(SampleGroups(groups=500, attempts=8), improves=3),
        refine=(KeepRising((0.3, 0.6, 1.0)),),
        update=Finetune(start_from="last"),
        evaluate=HeldOut(),
        steps=6,
        evaluate_every=1,
        checkpoint_every=1,
    )


def rest_em() -> Recipe:
    """Singh et al. 2023, "Beyond human data: scaling self-training for problem-solving with language models".

    As published: 32 samples a task at temperature 0.7 and top-k 40, reward 0 or 1, at most 10 kept a task, and every
    round fine-tunes the base (`--set update.start_from=last` goes on instead).

    Not as published: a round samples some tasks, not all, and a fixed number of passes stands for early stopping.
    """
    sampling = Sampling(max_tokens=64, temperature=0.7, top_k=40)
    return Recipe(
        name="rest-em",
        acquire=SampleGroups(groups=250, attempts=32, sampling=sampling),
        refine=(KeepCorrect(), CapPerTask(10)),
        update=Finetune(start_from="base", epochs=3),
        evaluate=HeldOut(),
        steps=3,
        evaluate_every=1,
        checkpoint_every=1,
    )
