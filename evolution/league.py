"""The league: frozen ancestors of the policy that learns, who is hard to beat, and who is champion.

Ancestors lie as weights (or adapters) in the run's folder, one for every time that the policy was frozen. What is known
of them is counted from the games that the run has recorded, so a resumed run draws the same opponents.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import quote

import numpy as np
from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.verdict import Status
from palaestra.evolution.durable import replacing
from palaestra.evolution.evaluation.record import Estimate

__all__ = ["Choice", "League", "Tally", "chances", "learn_of"]

Choice: TypeAlias = Literal["latest", "uniform", "prioritised"]
"""How an opponent is drawn: the last ancestor, any, or the more often the harder it is to beat."""

_STATE = "league.json"
# Weights kept in memory; older ones are loaded again when they are drawn.
_KEPT = 8


@dataclass
class Tally:
    """Games of the policy that learns against one ancestor.

    Attributes:
        games: How many were valid.
        points: 1 for each won, 1/2 for each drawn.
    """

    games: int = 0
    points: float = 0.0


def chances(ancestors: Sequence[str], tallies: Mapping[str, Tally], choice: Choice) -> list[float]:
    """Return how probable each ancestor is as the next opponent.

    `"prioritised"` weighs an ancestor by `(1 - p)^2`, p the share of points won against it (with one drawn game
    assumed, so that an unknown one is tried).

    Source: Vinyals et al. 2019, "Grandmaster level in StarCraft II" (prioritised fictitious self-play).

    Args:
        ancestors: Names, oldest first; at least one.
        tallies: What is known of them.
        choice: The rule.

    Raises:
        UnknownNameError: If there is no such rule.
    """
    if choice not in get_args(Choice):
        raise UnknownNameError("choice of opponents", str(choice), get_args(Choice))
    if choice == "latest":
        return [0.0] * (len(ancestors) - 1) + [1.0]
    if choice == "uniform":
        return [1.0 / len(ancestors)] * len(ancestors)
    known = [tallies.get(name, Tally()) for name in ancestors]
    hard = [(1.0 - (tally.points + 0.5) / (tally.games + 1.0)) ** 2 for tally in known]
    total = sum(hard)
    return [weight / total for weight in hard] if total > 0 else [1.0 / len(hard)] * len(hard)


@dataclass
class League:
    """Frozen ancestors in a folder.

    Attributes:
        folder: Where their weights lie.
        members: Their names, oldest first; the first is the policy as it was at the start.
        tallies: What the policy that learns has won against each.
        champion: The one that no candidate has beaten surely enough yet; empty before the first.
        trust_remote_code: Whether they may run the code that comes with them, as the policy may.
    """

    folder: Path
    members: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    champion: str = ""
    trust_remote_code: bool = False
    _loaded: dict[str, LocalPolicy] = field(default_factory=dict)

    def freeze(self, policy: LocalPolicy, step: int) -> str:
        """Keep the weights of now as an ancestor, if that has not been done at this step; return its name."""
        name = f"step-{step:06d}"
        if name not in self.members:
            target = self.folder / name
            if not target.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                with replacing(target) as scratch:
                    scratch.mkdir()
                    policy.save(scratch)
            self.members.append(name)
            self.champion = self.champion or name
        return name

    def agent(self, name: str, sampling: Sampling) -> Agent:
        """Return an ancestor as an agent.

        Raises:
            UsageError: If it is none of the league's.
        """
        if name not in self.members:
            raise UsageError(f"The league has no {name!r}; its members are {', '.join(self.members) or 'none'}.")
        if name not in self._loaded:
            policy = LocalPolicy.load(self.folder / name, trust_remote_code=self.trust_remote_code)
            policy.name = f"local:{quote(str(self.folder / name))}"
            self._loaded[name] = policy
            for old in list(self._loaded)[:-_KEPT]:
                del self._loaded[old]
        return LanguageAgent(self._loaded[name], sampling)

    def draw(self, generator: np.random.Generator, choice: Choice, count: int) -> list[str]:
        """Draw opponents; at least one must have been frozen if any are wanted."""
        if count == 0:
            return []
        numbers = generator.choice(len(self.members), size=count, p=chances(self.members, self.tallies, choice))
        return [self.members[number] for number in numbers]

    def count(self, name: str, points: float) -> None:
        """Count a valid game of the policy that learns against an ancestor."""
        tally = self.tallies.setdefault(name, Tally())
        tally.games += 1
        tally.points += points

    def gate(self, candidate: str, won: Estimate, threshold: float) -> bool:
        """Make a candidate champion if it surely beats the one that is.

        Args:
            candidate: A member.
            won: The share that it won against the champion.
            threshold: What the lower bound of the share must exceed.

        Returns:
            Whether it was promoted.
        """
        promoted = won.low > threshold
        if promoted:
            self.champion = candidate
        return promoted

    def save(self, directory: Path) -> None:
        """Write what is known besides the weights."""
        state = {"members": self.members, "champion": self.champion}
        tallies = {name: asdict(tally) for name, tally in self.tallies.items()}
        (directory / _STATE).write_text(json.dumps({**state, "tallies": tallies}))

    def load(self, directory: Path) -> None:
        """Go on from what `save` wrote; a run without a league wrote nothing."""
        path = directory / _STATE
        if not path.exists():
            return
        state: dict[str, Any] = json.loads(path.read_text())
        self.members, self.champion = state["members"], state["champion"]
        self.tallies = {name: Tally(**tally) for name, tally in state["tallies"].items()}


def learn_of(league: League, episodes: Sequence[Episode]) -> None:
    """Count what the games of a step say of the ancestors, whether they were just played or read from the record."""
    for episode in episodes:
        name = episode.group.partition("/")[2]
        if episode.valid and name in league.members:
            status = episode.verdict.status
            league.count(name, 1.0 if status is Status.CORRECT else 0.5 if status is Status.PARTIAL else 0.0)
