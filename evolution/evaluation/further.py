"""What an evaluation of held-out tasks may measure besides accuracy and pass@k."""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.agents.verifier import Verifier
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.evaluation.calibration import calibration_error, confidence
from palaestra.evolution.evaluation.executing import execution_figures
from palaestra.evolution.evaluation.positions import position_figures
from palaestra.evolution.evaluation.statistics import mean_over_tasks
from palaestra.evolution.evaluation.voting import Ballot, elected
from palaestra.evolution.refinement.agreement import answer_in
from palaestra.evolution.refinement.groups import by_group
from palaestra.evolution.yard import Yard

__all__ = ["Further", "check_further", "measure"]

Further: TypeAlias = Literal["majority", "reranked", "calibration", "positions", "execution"]
"""`majority@k`: share of tasks on which most of k sampled attempts agree on what is right. `reranked@k`: the same with
each attempt weighed by how probable the policy itself finds it right, among the 8 largest clusters of equal answers.
`calibration error`: of greedy replies, see `calibration`; how sure the policy is, is its probability a token.
`position 1/10` and so on, `position gap`, `sag`: of greedy replies to tasks that say in their metadata where the answer
lies (`position`, 0 to 1), see `positions`. `executed correct` and so on: of greedy episodes in `palaestra/Crawl-v0`,
see `executing`."""

_CLUSTERS = 8
_OF_GREEDY: tuple[Further, ...] = ("calibration", "positions", "execution")


def check_further(also: Sequence[str], attempts: int) -> None:
    """Raise an error if something cannot be measured.

    Raises:
        UnknownNameError: If it has another name.
        UsageError: If it needs several attempts, and they are not made.
    """
    for name in also:
        if name not in get_args(Further):
            raise UnknownNameError("further measure", name, get_args(Further))
        if name not in _OF_GREEDY and attempts < 2:
            raise UsageError(f"{name} is measured over several attempts: set evaluate.attempts to 2 or more.")


def measure(
    also: Sequence[Further], yard: Yard, greedy: Sequence[Episode], sampled: Sequence[Episode]
) -> dict[str, float]:
    """Return what else is measured, each share with the bounds of its 95 % interval; invalid episodes do not count.

    Args:
        also: What.
        yard: Where it was played.
        greedy: One episode a task.
        sampled: Several episodes a task, in groups.
    """
    figures: dict[str, float] = {}
    answer, valid = answer_in(yard), [episode for episode in sampled if episode.valid]
    for name in also:
        if name == "calibration":
            figures |= _calibration(greedy)
            continue
        if name == "positions":
            figures |= position_figures(yard, greedy)
            continue
        if name == "execution":
            figures |= execution_figures(yard, greedy)
            continue
        weights = Verifier(yard.rollout.agent, yard.policy)(valid) if name == "reranked" else np.ones(len(valid))
        weight_of = {id(episode): float(weight) for episode, weight in zip(valid, weights, strict=True)}
        shares, most = [], 0
        for group in by_group(valid).values():
            ballots = [Ballot(answer(episode), episode.correct, weight_of[id(episode)]) for episode in group]
            shares.append(elected(ballots, _CLUSTERS if name == "reranked" else 0))
            most = max(most, len(group))
        if shares:
            found = mean_over_tasks(shares, np.random.default_rng(0))
            at = f"{name}@{most}"
            figures |= {at: found.value, f"{at} low": found.low, f"{at} high": found.high}
    return figures


def _calibration(greedy: Sequence[Episode]) -> dict[str, float]:
    known = [(sure, e.correct) for e in greedy if e.valid and (sure := confidence(e)) is not None]
    if not known:
        return {}
    return {"calibration error": calibration_error([sure for sure, _ in known], [right for _, right in known])}
