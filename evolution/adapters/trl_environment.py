"""Our environments as the `environment_factory` of TRL's `GRPOTrainer`: the model speaks to a world by a tool."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

from palaestra.envs.catalogue import make
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_seed
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["TrlEnvironment", "trl_environment_factory"]


class TrlEnvironment:
    """One world as TRL's trainers know them: `reset`, `get_reward`, and one tool, `act`.

    A world that fails is never a reward: the tool says so to the model, and `get_reward` returns None, which the
    trainer keeps out of its group's mean. An episode in which the model never acts pays 0.

    Args:
        env: The world.
        seed: Names its randomness, together with how often it was reset.
    """

    def __init__(self, env: TextEnv, seed: int) -> None:
        # Underscores throughout: TRL shows the model every public method.
        self._env = env
        self._seed = seed
        self._resets = 0
        self._paid = 0.0
        self._over = True
        self._verdict: Verdict | None = None
        self._broken = False

    def reset(self, task: str | None = None, **row: Any) -> str:
        """Begin an episode; `task` is the column of that name, without which the seed draws one."""
        del row
        self._paid, self._verdict, self._over = 0.0, None, False
        seed = derive_seed(self._seed, "episode", self._resets)
        self._resets += 1
        try:
            if self._broken:  # what failed may be in any state: the next episode has a world of its own
                self._env, broken, self._broken = self._env.clone(), self._env, False
                with suppress(Exception):
                    broken.close()
            observation, _ = self._env.reset(seed=seed, options=None if task is None else {"task": task})
        except UsageError:  # there is no such task: the data set is another world's
            raise
        except Exception as error:  # a world may fail in any way, and training goes on without the episode
            return self._failed(error)
        return observation

    def act(self, action: str) -> str:
        """Say something to the world: an answer, a move, whatever it asks for.

        Args:
            action: What to say.

        Returns:
            What the world answers.
        """
        if self._over:
            return "The episode is over."
        try:
            observation, reward, terminated, truncated, info = self._env.step(str(action))
        except Exception as error:  # the trainer would show it to the model and go on as if nothing had happened
            return self._failed(error)
        self._paid += float(reward)
        self._verdict = info.get("verdict", self._verdict)
        self._over = bool(terminated or truncated)
        return observation

    def get_reward(self) -> float | None:
        """Return what the episode paid, None where it is invalid."""
        if self._verdict is not None and not self._verdict.valid:
            return None
        return self._paid

    def _failed(self, error: Exception) -> str:
        self._over = self._broken = True
        self._verdict = Verdict(0.0, Status.INFRASTRUCTURE, f"{type(error).__name__}: {error}")
        return "The world failed."


def trl_environment_factory(spec: str, seed: int = 0) -> Callable[[], TrlEnvironment]:
    """Return a factory of one environment for `GRPOTrainer(environment_factory=...)`.

    Give `tasks_for_trl(spec)` as `train_dataset`; without one, the seed draws the tasks, held-out ones too.

    Args:
        spec: Names the environment.
        seed: Names all randomness.
    """
    first = make(spec)
    numbers = count()

    def build() -> TrlEnvironment:
        number = next(numbers)
        return TrlEnvironment(first if number == 0 else first.clone(), derive_seed(seed, "instance", number))

    return build
