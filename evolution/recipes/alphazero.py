"""Search and learn: the policy imitates what a search led by itself finds."""

from palaestra.evolution.acquisition.search_play import SearchPlay
from palaestra.evolution.evaluation.sparring import START, Sparring
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["alphazero"]


def alphazero() -> Recipe:
    """Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi, and Go".

    As published: a search led by priors and values (PUCT, with noise at the root), one net for both, always the latest;
    its moves and the games' ends are the targets.

    Not as published: priors and values are what a language policy says (its move; how it will end), so both are learned
    by cross-entropy on words. A target is the move that was drawn by the search's visits, which is their share on
    average. Experience is that of the present step, without a window of earlier ones, and weights do not decay.
    """
    return Recipe(
        name="alphazero",
        acquire=SearchPlay(),
        refine=(),
        update=Finetune(start_from="last", learning_rate=1e-3),
        evaluate=Sparring(opponents=("search:minimax", "scripted:random", START)),
        steps=30,
        evaluate_every=10,
        checkpoint_every=10,
    )
