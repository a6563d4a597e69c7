"""Update in turn: several methods one after another in one run, each going on from what the ones before it made.

A stage begins when its turn has come: the policy as it is then is its reference, its base, and where its reward model
or critic begins. Once a stage has learned to judge, the stages after it learn from its rewards in place of the
world's; what was recorded stays as the world paid it, and evaluation is the world's too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_seed
from palaestra.evolution.turns import check_turns, turn_at
from palaestra.evolution.updating.peers import Peers
from palaestra.evolution.updating.reward_model import agreement
from palaestra.evolution.updating.updater import Beginning, RefusesPeers, Trainable, Update, Updater

__all__ = ["Rewarding", "UpdateInTurn", "UpdaterInTurn"]


@runtime_checkable
class Rewarding(Protocol):
    """An updater that learns to judge."""

    def reward(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the same episodes, paid by what it learned instead of the world."""
        ...


@dataclass(frozen=True)
class UpdateInTurn:
    """Methods that take turns by step.

    Attributes:
        steps: How many steps each method has; the last goes on to the end of the run, whatever its number.
        parts: The methods, as many.
    """

    steps: tuple[int, ...]
    parts: tuple[Update, ...]

    def __post_init__(self) -> None:
        check_turns(self.steps, len(self.parts))

    def refuse_peers(self, peers: Peers) -> None:
        """Raise `UsageError` if these processes cannot carry all methods out; see `RefusesPeers`."""
        if peers.in_step:
            raise UsageError(
                "Methods in turn would each divide the policy's weights or its optimiser among the processes anew, "
                "which is not supported. Launch with distributed_type MULTI_GPU (--multi_gpu), or take a recipe of one "
                "method."
            )
        for part in self.parts:
            if isinstance(part, RefusesPeers):
                part.refuse_peers(peers)

    def start(self, policy: Trainable, beginning: Beginning) -> "UpdaterInTurn":
        """Begin work on a policy; see `Update.start`."""
        self.refuse_peers(beginning.peers)
        return UpdaterInTurn(self, policy, beginning)


class UpdaterInTurn:
    """Methods in turn at work on one policy; made by `UpdateInTurn.start`."""

    def __init__(self, method: UpdateInTurn, policy: Trainable, beginning: Beginning) -> None:
        self.method = method
        self.policy = policy
        self._beginning = beginning
        self._steps = 0
        self._stage = 0
        self._updater = self._start(0)
        self._judge: tuple[int, Rewarding] | None = None  # with the number of its stage

    def turn_to(self, step: int) -> None:
        """Say which step of the run comes next; see `TakesTurns`."""
        self._steps = step - 1

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Let the method whose turn it is learn; see `Updater.step`.

        Returns:
            Its figures and `stage`, its number. Where a stage before it judges: `judge_agreement` (see
            `reward_model.agreement`), `judge_reward` and `true_reward`, means an episode.
        """
        stage = turn_at(self.method.steps, self._steps + 1)
        while self._stage < stage:
            if isinstance(self._updater, Rewarding):
                self._judge = self._stage, self._updater
            self._stage += 1
            self._updater = self._start(self._stage)
        figures = {"stage": float(stage)}
        if self._judge is not None:
            episodes, judged = self._judged(episodes, self._judge[1])
            figures |= judged
        figures |= self._updater.step(episodes)
        self._steps += 1
        return figures

    def save(self, directory: Path) -> None:
        """Write the stage at work and the one that judges; see `Updater.save`."""
        directory.mkdir(parents=True, exist_ok=True)
        judge = None if self._judge is None else self._judge[0]
        about = {"steps": self._steps, "stage": self._stage, "judge": judge}
        (directory / "in_turn.json").write_text(json.dumps(about))
        self._updater.save(directory / f"stage-{self._stage}")
        if self._judge is not None:
            _as_updater(self._judge[1]).save(directory / f"stage-{self._judge[0]}")

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote; see `Updater.load`."""
        about = json.loads((directory / "in_turn.json").read_text())
        self._steps, self._stage = about["steps"], about["stage"]
        self._judge = None
        if about["judge"] is not None:
            judge = self._start(about["judge"])
            judge.load(directory / f"stage-{about['judge']}")
            assert isinstance(judge, Rewarding)
            self._judge = about["judge"], judge
        self._updater = self._start(self._stage)
        self._updater.load(directory / f"stage-{self._stage}")

    def _start(self, stage: int) -> Updater:
        whole = self._beginning
        before, last = sum(self.method.steps[:stage]), len(self.method.parts) - 1
        planned = whole.planned_steps - before if stage == last else self.method.steps[stage]
        seed = derive_seed(whole.seed, "stage", stage)
        return self.method.parts[stage].start(self.policy, replace(whole, seed=seed, planned_steps=max(1, planned)))

    def _judged(self, episodes: Sequence[Episode], judge: Rewarding) -> tuple[list[Episode], dict[str, float]]:
        true = [episode for episode in episodes if episode.valid]
        judged = judge.reward(true)
        rewards = [[episode.reward for episode in some] for some in (judged, true)]
        return judged, {
            "judge_agreement": agreement(true, judged),
            "judge_reward": float(np.mean(rewards[0])) if true else 0.0,
            "true_reward": float(np.mean(rewards[1])) if true else 0.0,
        }


def _as_updater(judge: Rewarding) -> Updater:
    saved: Any = judge
    return saved  # type: ignore[no-any-return]
