"""Self-play in an arena: one policy in every seat, each role compared with its own past."""

from palaestra.evolution.acquisition.self_play import SelfPlay
from palaestra.evolution.evaluation.sparring import Sparring
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.policy_gradient import PolicyGradient

__all__ = ["spiral"]


def spiral() -> Recipe:
    """Liu et al. 2025, "SPIRAL: self-play on zero-sum games incentivizes reasoning".

    As published: one policy in every seat, role-conditioned advantages, no division by the deviation. A share of the
    games (`acquire.against_league`) may be played against frozen ancestors, and `update.credit=shared` takes the
    conditioning on roles away.

    Not as published: the divergence from the policy at the start is paid for (`update.kl`). Without it a small policy
    runs into pure strategies, which in games of hidden cards are never best, and stays there; a pull towards a fixed
    policy makes self-play converge (Sokota et al. 2023, "A unified approach to reinforcement learning, quantal response
    equilibria, and two-player zero-sum games"). For a large model `--set update.kl=0` is as published.
    """
    return Recipe(
        name="spiral",
        acquire=SelfPlay(games=192),
        refine=(),
        update=PolicyGradient(credit="role", loss="dr_grpo", kl=0.5),
        evaluate=Sparring(),
        steps=160,
        evaluate_every=20,
        checkpoint_every=20,
    )
