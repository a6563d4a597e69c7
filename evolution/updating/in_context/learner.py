"""An agent that learns in context: its weights stay, and what it is told has versions.

Every version that was accepted is kept whole in the run's `contexts/`, by its digest, and the present one in every
checkpoint. What a version was made of stands in the lineage; what was tried for it, in the run's `studies/`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.agents.memory.memory import Memory
from palaestra.agents.memory.told import ToldAgent, counter, with_context
from palaestra.agents.policy import Sampling
from palaestra.evolution.durable import replacing
from palaestra.evolution.learner import Learned, save_spelling
from palaestra.evolution.run import Run
from palaestra.evolution.updating.in_context.study import Study
from palaestra.evolution.updating.in_context.update import InContext
from palaestra.evolution.yard import Yard
from scipy.stats import t

__all__ = ["ContextLearner"]

_STATE = "learner.json"


class _Compared(NamedTuple):
    """Two contexts on the same tasks: mean rewards, and the deviation of the mean of their paired difference."""

    tasks: int
    before: float
    after: float
    deviation: float

    @property
    def gain(self) -> float:
        return self.after - self.before

    @property
    def surely_worse(self) -> bool:
        """Whether the 95 % interval of the gain, Student's, lies below 0; of fewer than two tasks nothing is sure."""
        return self.tasks > 1 and self.gain + float(t.ppf(0.975, self.tasks - 1)) * self.deviation < 0


class ContextLearner:
    """An agent and the versions of what it is told; see `palaestra.evolution.learner.Learner`.

    Args:
        agent: Who is taught. One that is told something already, such as a run's, begins with that.
        update: The method and its settings.
        run: Where everything is kept.
        sampling: How the agent samples while it acquires.
    """

    def __init__(self, agent: Agent, update: InContext, run: Run, sampling: Sampling) -> None:
        first = Context(update.instructions)
        if isinstance(agent, ToldAgent):
            first, agent = agent.context, agent.agent
        self._update, self._run, self._sampling = update, run, sampling
        self._bare, self._count = agent, counter(agent)
        memory = Memory(None, update.budgets, self._count)
        memory.take(first.memory.entries())
        context = Context(update.instructions or first.instructions, memory, update.recall)
        self.agent = with_context(agent, context)
        self.version = 0
        self._proposed = 0
        self._earlier: list[tuple[int, str]] = []  # versions and digests, oldest first
        self._notes: dict[str, Any] = {}
        self.yard: Yard | None = None

    @property
    def context(self) -> Context:
        """What the agent is told now."""
        return self.agent.context

    def begin(self) -> None:
        """Keep the first version."""
        self._keep(self.context)

    def learn(self, episodes: Sequence[Episode], env: str, step: int) -> Learned:
        """Look back, let the method propose, validate, and accept or leave it."""
        assert self.yard is not None
        validate, before = self._update.validate, self.context.digest
        study = Study(
            self.yard,
            env,
            step,
            self._bare,
            self._run.studies,
            str(self._run.directory),
            self._sampling,
            self._update.writing,
            validate.tasks,
            self._notes,
        )
        lineage: dict[str, Any] = {"before": before}
        if self._earlier and validate.look_back and step % validate.look_back == 0:
            lineage["looked_back"] = self._look_back(study)
        metrics: dict[str, float] = {}
        proposal = self._update.revise(self.context, episodes, study)
        if proposal is not None and proposal.digest != self.context.digest:
            self._proposed += 1
            found = _compared(study.validate(self.context), study.validate(proposal))
            accepted = found.tasks > 0 and found.gain >= validate.gain
            lineage |= {"proposed": proposal.digest, "validation": found._asdict(), "accepted": accepted}
            metrics |= {"validation_before": found.before, "validation_after": found.after}
            metrics["accepted"] = float(accepted)
            if accepted:
                self._earlier.append((self.version, self.context.digest))
                self.version = self._proposed
                self._tell(proposal)
        lineage |= {"after": self.context.digest, "studies": study.shards}
        return Learned(metrics | self._figures(study), {"context": lineage})

    def _look_back(self, study: Study) -> dict[str, Any]:
        """Go back to the version before, where the present one is surely worse."""
        version, digest = self._earlier[-1]
        earlier = self._kept(digest)
        found = _compared(study.validate(earlier), study.validate(self.context))
        if found.surely_worse:
            self._earlier.pop()
            self.version = version
            self.agent.context = earlier
        return {"to": digest, **found._asdict(), "rolled_back": found.surely_worse}

    def _figures(self, study: Study) -> dict[str, float]:
        figures = {f"remembered/{kind}": float(len(self.context.memory.entries(kind))) for kind in Kind}
        figures["studied_episodes"] = float(len(study.episodes))
        figures["studied_tokens"] = float(sum(episode.tokens for episode in study.episodes))
        return figures

    def save(self, directory: Path) -> None:
        """Write the present version, which ones were before it, what the method remembers, and how ids are spelled."""
        self.context.save(directory)
        save_spelling(self.agent, directory)
        state = {"proposed": self._proposed, "earlier": self._earlier, "notes": self._notes}
        (directory / _STATE).write_text(json.dumps(state))

    def load(self, directory: Path, version: int) -> None:
        """Continue what `save` wrote."""
        state = json.loads((directory / _STATE).read_text())
        self._proposed, self._notes = state["proposed"], state["notes"]
        self._earlier = [(number, digest) for number, digest in state["earlier"]]
        self.agent.context = Context.load(directory, self._count)
        self.version = version

    def close(self) -> None:
        """Nothing is held."""

    def _tell(self, context: Context) -> None:
        self._keep(context)
        self.agent.context = context

    def _keep(self, context: Context) -> None:
        """Write a version whole, once."""
        place = self._run.contexts / context.digest
        if not place.exists():
            self._run.contexts.mkdir(exist_ok=True)
            with replacing(place) as temporary:
                temporary.mkdir()
                context.save(temporary)

    def _kept(self, digest: str) -> Context:
        return Context.load(self._run.contexts / digest, self._count)


def _compared(before: Sequence[Episode], after: Sequence[Episode]) -> _Compared:
    """Compare two contexts on the tasks that were valid with both."""
    pairs = [(one.reward, other.reward) for one, other in zip(before, after, strict=True) if one.valid and other.valid]
    rewards = np.array(pairs, np.float64).reshape(-1, 2)
    count = len(rewards)
    if count == 0:
        return _Compared(0, 0.0, 0.0, 0.0)
    differences = rewards[:, 1] - rewards[:, 0]
    deviation = float(differences.std(ddof=1) / np.sqrt(count)) if count > 1 else float("inf")
    return _Compared(count, float(rewards[:, 0].mean()), float(rewards[:, 1].mean()), deviation)
