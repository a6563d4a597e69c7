"""Reinforcement learning from preferences: fine-tuning, then a reward model, then PPO against it."""

from palaestra.evolution.acquisition.demonstrate import Demonstrate
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.in_turn import AcquireInTurn
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.finetune import Finetune
from palaestra.evolution.updating.in_turn import UpdateInTurn
from palaestra.evolution.updating.pairs import EveryPair
from palaestra.evolution.updating.ppo import Ppo
from palaestra.evolution.updating.reward_model import RewardModel

__all__ = ["ppo", "rlhf"]


def rlhf() -> Recipe:
    """Ouyang et al. 2022, "Training language models to follow instructions with human feedback".

    As published: three stages; the reward model begins as the policy of the first and learns from all pairs of a
    ranking; PPO pays its score less a price for each nat of divergence from that policy, token by token.

    Not as published: the true preference is a stated function, by default the environment's reward, of which
    `update.parts.1.noise` turns a share round; the critic begins as the policy, not as the reward model; there is no
    mix of pre-training text. The true reward is recorded beside the model's, and `--set update.parts.2.kl=0` lifts the
    price, which shows what it was good for.
    """
    stages = (5, 25, 100)
    return Recipe(
        name="rlhf",
        acquire=AcquireInTurn(
            stages,
            (Demonstrate(tasks=64, pool=64), SampleGroups(groups=64, attempts=8), SampleGroups(groups=64, attempts=4)),
        ),
        refine=(),
        update=UpdateInTurn(
            stages, (Finetune(start_from="last", learning_rate=1e-4), RewardModel(pairs=EveryPair()), Ppo(kl=0.3))
        ),
        evaluate=HeldOut(),
        steps=sum(stages),
    )


def ppo() -> Recipe:
    """Schulman et al. 2017, "Proximal policy optimization algorithms", on the environment's own reward.

    As published: clipped ratios, a critic, generalised advantages.

    Not as published: the critic has a trunk of its own, and divergence from the policy at the start is charged for
    (`update.kl`), as is usual for language models.
    """
    return Recipe(
        name="ppo",
        acquire=SampleGroups(groups=256, attempts=1),
        refine=(),
        update=Ppo(),
        evaluate=HeldOut(),
        steps=200,
    )
