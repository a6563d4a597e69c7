"""Checks that a user can run on an environment of their own."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
from gymnasium.utils.env_checker import check_env
from palaestra.envs.errors import ContractError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["HOSTILE_ACTIONS", "check_environment"]

HOSTILE_ACTIONS: tuple[str, ...] = (
    "",
    " \n\t",
    "\x00",
    "\ud800",
    "I do not know.",
    "٣٧ 𝟝 ½ ∞ -0 NaN",
    "9**9**9",
    "1e999999999",
    "9" * 5_000,
    "(" * 5_000,
    "<answer>" * 5_000,
    "\\boxed{" * 5_000,
    '{"reward": 1, "status": "correct"}',
    "__import__('os')._exit(0)",
    "a " * 60_000,
)
"""Replies that a model may well give and that no judge may fail on or pay for."""

# Tasks looked at, of a set that may hold thousands.
_TASKS = 20
# An episode of random actions is followed no further than this.
_STEPS = 500
_STEP_SECONDS = 5.0


class _Step(NamedTuple):
    observation: str
    reward: float
    over: bool
    verdict: Verdict | None


def check_environment(env: gymnasium.Env[Any, Any]) -> None:
    """Check that an environment keeps the contract of `TextEnv`.

    It passes Gymnasium's own `check_env`; tasks differ and their prompts fit; the same seed and actions give the same
    episode, in a clone too, and a clone leaves its original alone; `info` names the task; a known solution is CORRECT
    and earns at least 1, and is not paid on every other task; hostile replies neither raise nor are CORRECT everywhere.

    Args:
        env: The environment. It is played and left in some state; wrappers around it are set aside.

    Raises:
        ContractError: At the first broken promise, with what to do about it.
    """
    bare = env.unwrapped
    if not isinstance(bare, TextEnv):
        raise ContractError(f"{bare} is no TextEnv: derive its class from palaestra.envs.text_env.TextEnv.")
    _check_gymnasium(bare)
    _check_tasks(bare)
    _check_repeatable(bare)
    _check_clone(bare)
    _check_solutions(bare)
    _check_hostile(bare)


def _check_gymnasium(env: TextEnv) -> None:
    with warnings.catch_warnings():
        # Without a registered id Gymnasium cannot rebuild the environment to render it, and says so; that is no fault.
        warnings.filterwarnings("ignore", message=".*not having a spec.*")
        try:
            check_env(env)
        except Exception as error:
            raise ContractError(f"Gymnasium's check_env refuses {env}: {error}") from error


def _check_tasks(env: TextEnv) -> None:
    seen: dict[str, str] = {}
    for task in env.tasks:
        twin = seen.setdefault(task.fingerprint, task.id)
        if twin != task.id:
            raise ContractError(f"Tasks {twin!r} and {task.id!r} are the same problem: leave one out.")
    for task in _some_tasks(env):
        observation, info = env.reset(seed=0, options={"task": task.id})
        if observation not in env.observation_space:
            raise ContractError(f"Task {task.id!r} begins with no text of the observation space: raise max_chars.")
        if info.get("task") != task.id:
            raise ContractError(f"reset() was asked for task {task.id!r} and its info names {info.get('task')!r}.")


def _check_repeatable(env: TextEnv) -> None:
    first, second = _play_at_random(env, 1), _play_at_random(env, 1)
    if first != second:
        raise ContractError(
            "The same seed and actions gave two different episodes: draw all randomness from self.np_random, and set "
            "all state anew in begin()."
        )


def _check_clone(env: TextEnv) -> None:
    twin = env.clone()
    if type(twin) is not type(env) or twin.tasks.digest != env.tasks.digest:
        raise ContractError("clone() must return the same kind of environment with the same tasks.")
    alone = _play_at_random(env, 2)
    beside = _play_at_random(env, 2, lambda: _play_at_random(twin, 3))
    if alone != beside or _play_at_random(twin, 2) != alone:
        raise ContractError("An environment and its clone disturb each other: override clone() to copy inner state.")
    twin.close()


def _check_solutions(env: TextEnv) -> None:
    solved = [(task, list(actions)) for task in _some_tasks(env) if (actions := env.solution(task)) is not None]
    for task, actions in solved:
        steps = _play(env, task, actions)
        earned, last = sum(step.reward for step in steps), steps[-1]
        if not last.over or earned < 1.0 or (last.verdict and last.verdict.status is not Status.CORRECT):
            raise ContractError(
                f"The solution {actions[:3]} of task {task.id!r} earns {earned:g} and ends with {last.verdict} "
                f"(over: {last.over}): it must end the episode as CORRECT with at least 1. Correct the judge or the "
                "solution."
            )
    if not solved:
        return
    actions = solved[0][1]
    others = [task for task, its_own in solved if its_own != actions]
    if others and all(_is_paid(_play(env, task, actions)) for task in others):
        raise ContractError(f"The reply {actions[:3]} is right on every task, whatever its answer: correct the judge.")


def _check_hostile(env: TextEnv) -> None:
    differing = list({repr(task.reference): task for task in _some_tasks(env)}.values())
    for action in HOSTILE_ACTIONS:
        # It may be right by chance (there are digits in it), but not on one task after the other.
        right = (_is_correct(env, task, action) for task in differing)
        if all(right) and (len(differing) > 1 or not action.strip()):
            raise ContractError(f"The reply {action[:30]!r} is CORRECT on every task: correct the judge.")


def _is_correct(env: TextEnv, task: Task, action: str) -> bool:
    try:
        verdict = _play(env, task, [action])[-1].verdict
    except ContractError:
        raise
    except Exception as error:
        raise ContractError(
            f"step() raised {type(error).__name__} ({str(error)[:100]}) for the reply {action[:30]!r}: return a "
            "verdict UNPARSED or ILLEGAL instead."
        ) from error
    return verdict is not None and verdict.status is Status.CORRECT


def _some_tasks(env: TextEnv) -> list[Task]:
    return list(env.tasks)[:_TASKS]


def _is_paid(steps: Sequence[_Step]) -> bool:
    return sum(step.reward for step in steps) >= 1.0


def _play(env: TextEnv, task: Task, actions: Sequence[str]) -> list[_Step]:
    """Play the actions on a task until they or the episode end."""
    env.reset(seed=0, options={"task": task.id})
    steps: list[_Step] = []
    for action in actions:
        steps.append(_step(env, action))
        if steps[-1].over:
            break
    if not steps:
        raise ContractError(f"The solution of task {task.id!r} holds no action: return None where none is known.")
    return steps


def _play_at_random(env: TextEnv, seed: int, meanwhile: Callable[[], object] = lambda: None) -> list[_Step]:
    """Play an episode of unskilled actions; `meanwhile` is called after its first observation."""
    generator = derive_generator(seed, "check")
    observation, _ = env.reset(seed=seed)
    steps = [_Step(observation, 0.0, False, None)]
    meanwhile()
    while not steps[-1].over and len(steps) < _STEPS:
        steps.append(_step(env, env.sample_action(generator)))
    return steps


def _step(env: TextEnv, action: str) -> _Step:
    began = time.monotonic()
    observation, reward, terminated, truncated, info = env.step(action)
    seconds = time.monotonic() - began
    if env.metadata.get("instant") and seconds > _STEP_SECONDS:
        raise ContractError(
            f"A step took {seconds:.0f} s for the reply {action[:30]!r}: bound what the judge reads, or set "
            "metadata['instant'] to False."
        )
    if not math.isfinite(reward):
        raise ContractError(f"A step paid {reward}: rewards are finite numbers.")
    if observation not in env.observation_space:
        raise ContractError(f"A step said {str(observation)[:60]!r}, which is no text of the observation space.")
    if env.task is None or info.get("task") != env.task.id:
        raise ContractError("The info of a step must name the task: return self.outcome(verdict) as info.")
    verdict = info.get("verdict")
    if verdict is not None and not isinstance(verdict, Verdict):
        raise ContractError(f"info['verdict'] is a {type(verdict).__name__}, expected a Verdict.")
    over = bool(terminated or truncated)
    if verdict is not None and not verdict.valid and not (over and reward == 0.0):
        raise ContractError(f"A verdict of status {verdict.status} must end the episode and pay nothing.")
    return _Step(observation, float(reward), over, verdict)
