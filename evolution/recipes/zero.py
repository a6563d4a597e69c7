"""Proposer and solver in one policy: it sets itself tasks and learns from both sides, without any data."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.self_play import SelfPlay
from palaestra.evolution.evaluation.proposing import Proposing
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.proposals import ByRole, DropHeldOut, KeepMiddle, PayProposals
from palaestra.evolution.updating.policy_gradient import PolicyGradient

__all__ = ["absolute_zero", "r_zero"]


def absolute_zero() -> Recipe:
    """Zhao et al. 2025, "Absolute Zero: reinforced self-play reasoning with zero data".

    As published: the same model proposes and solves; a proposer gets 1 - p where p > 0 is the share of its solvers that
    succeed, else 0, and less for what is no task; the answer's judge is the world itself; advantages are centred and
    scaled by role over the step (task-relative REINFORCE++). Deduction, abduction and induction over programs are kinds
    of the arena (`proposer_solver?kind=deduction`).

    Not as published: one kind of task in a run; solvers learn from all their answers to a proposal, in the step that
    proposed it, without a buffer of earlier proposals as examples; wrong answers earn 0 in place of -0.5 and -1.
    Proposals that are held-out tasks are never learned from.
    """
    return Recipe(
        name="absolute-zero",
        acquire=SelfPlay(games=64, sampling=Sampling(max_tokens=16)),
        refine=(DropHeldOut(), PayProposals("absolute_zero"), ByRole()),
        update=PolicyGradient(credit="grpo", loss="dapo"),
        evaluate=Proposing(),
        steps=100,
    )


def r_zero() -> Recipe:
    """Huang et al. 2025, "R-Zero: self-evolving reasoning LLM from zero data".

    As published: a challenger gets 1 - 2 |p - 1/2| less the share of the batch that is like its task, where p is how
    many answers agree with the most frequent one; that answer is the label; a solver learns from tasks with
    0.3 <= p <= 0.7; both by GRPO.

    Not as published: challenger and solver are one policy and learn in the same step, in place of two in turns of
    several steps each; tasks are alike where they are the same, not by BLEU; p is taken from the answers that are
    learned from. Proposals that are held-out tasks are never learned from.
    """
    return Recipe(
        name="r-zero",
        acquire=SelfPlay(games=64, sampling=Sampling(max_tokens=16)),
        refine=(DropHeldOut(), PayProposals("r_zero", labels="majority", duplicates=True), KeepMiddle(), ByRole(True)),
        update=PolicyGradient(credit="grpo"),
        evaluate=Proposing(),
        steps=100,
    )
