"""Preference updates on pairs: what is better becomes more probable, against a reference, than what is worse.

Sources: Rafailov et al. 2023, "Direct preference optimization"; Azar et al. 2024, "A general theoretical paradigm to
understand learning from human preferences" (IPO). With the previous iterate as the reference and demonstrations as the
better side it is SPIN (Chen et al. 2024); with whole trajectories it is ETO (Song et al. 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from palaestra.agents.episode import Episode
from palaestra.evolution.updating.batching import Inputs
from palaestra.evolution.updating.contrast import ContrastSettings, ContrastUpdater, Examples
from palaestra.evolution.updating.driver import Driver
from palaestra.evolution.updating.pairs import BestWorst, Pairs
from palaestra.evolution.updating.row_trainer import Figures
from palaestra.evolution.updating.updater import Beginning, Trainable
from torch.nn.functional import logsigmoid

__all__ = ["PairLoss", "Preference", "PreferenceUpdater", "pair_losses"]

PairLoss: TypeAlias = Literal["dpo", "ipo"]


def pair_losses(ratios: torch.Tensor, tokens: torch.Tensor, loss: PairLoss, beta: float) -> torch.Tensor:
    """Return the loss of each pair.

    With `r` the log-ratio of policy to reference of each side:

    - `"dpo"`: `-log sigmoid(beta * (r_better - r_worse))`;
    - `"ipo"`: `(r_better / n_better - r_worse / n_worse - 1 / (2 beta))^2` with n the tokens of each side, averaged
      over tokens as in TRL.

    Args:
        ratios: `[P, 2]` log-ratios in nats of the better and the worse episode.
        tokens: `[P, 2]` how many ids were sampled in them.
        loss: Which.
        beta: Its strength.

    Returns:
        `[P]` losses.
    """
    if loss == "ipo":
        mean = ratios / tokens.clamp(min=1.0)
        return (mean[:, 0] - mean[:, 1] - 1.0 / (2.0 * beta)).square()
    return -logsigmoid(beta * (ratios[:, 0] - ratios[:, 1]))


@dataclass(frozen=True)
class Preference(ContrastSettings):
    """Settings of a preference update on pairs.

    Attributes:
        pairs: Which episode is better than which.
        loss: See `pair_losses`.
    """

    title: ClassVar[str] = "A preference update"

    pairs: Pairs = BestWorst()  # noqa: RUF009 (frozen and without state)
    loss: PairLoss = "dpo"

    def start(self, policy: Trainable, beginning: Beginning) -> "PreferenceUpdater":
        """Begin work on a policy; see `ContrastSettings.driver`."""
        driver = self.driver(policy, beginning)
        return PreferenceUpdater(self, policy, driver, beginning.seed)

    def objective(self, logprobs: torch.Tensor, inputs: Inputs) -> tuple[torch.Tensor, Figures]:
        """Return the `[P]` losses of a part's pairs, and figures of them; see `row_trainer.Objective`."""
        members = inputs["members"]
        ratios = (logprobs - inputs["reference"])[members]
        losses = pair_losses(ratios, inputs["tokens"][members], self.loss, self.beta)
        margin = self.beta * (ratios[:, 0] - ratios[:, 1])
        return losses, {
            "margin": margin,
            "accuracy": (margin > 0).float(),
            "better": self.beta * ratios[:, 0],
            "worse": self.beta * ratios[:, 1],
        }


class PreferenceUpdater(ContrastUpdater):
    """A preference update at work; made by `Preference.start`.

    Its figures: `margin`, `accuracy` (share of pairs whose margin is above 0), `better` and `worse` (log-ratios times
    beta), and where the world's verdicts order some pairs `pairs_true`, the share of these they order the same way.
    """

    method: Preference

    def __init__(self, method: Preference, policy: Trainable, driver: Driver, seed: int) -> None:
        super().__init__(method, policy, driver, seed)

    def examples(self, episodes: Sequence[Episode]) -> Examples:
        """Return the pairs in which both sides said something."""
        pairs = [pair for pair in self.method.pairs(episodes) if pair.better.tokens and pair.worse.tokens]
        own = list({id(episode): episode for pair in pairs for episode in pair}.values())
        number = {id(episode): i for i, episode in enumerate(own)}
        members = np.array([[number[id(pair.better)], number[id(pair.worse)]] for pair in pairs], np.int64)
        ordered = [p.better.verdict.reward - p.worse.verdict.reward for p in pairs]
        judged = [gain > 0 for gain in ordered if gain != 0]
        figures = {"pairs_true": float(np.mean(judged))} if judged else {}
        return Examples(own, members.reshape(-1, 2), {}, figures)
