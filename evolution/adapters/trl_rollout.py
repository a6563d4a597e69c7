"""Our rollout as the `rollout_func` of TRL's `GRPOTrainer`, with the exact ids that were sampled."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_seed

__all__ = ["TrlRollout", "reward_of_episode"]


class TrlRollout:
    """Plays episodes of one environment with the model that a `GRPOTrainer` trains.

    Give it as `rollout_func`, `tasks_for_trl(spec)` as `train_dataset` and `reward_of_episode` as `reward_funcs`. What
    the trainer gets are the ids that stood in the context window, with a mask of those that were sampled and their
    log-probabilities as sampled. An invalid episode has no reward (None, which the trainer keeps out of its group's
    mean) and none of its tokens is learned from. Temperature, top-k, top-p and the most tokens of a reply are the
    trainer's.

    Args:
        spec: Names the environment.
        seed: Names all randomness, together with the trainer's step and process.

    Attributes:
        episodes: Of the last call, in the order of its prompts.
    """

    def __init__(self, spec: str, seed: int = 0) -> None:
        self.spec = spec
        self.seed = seed
        self.episodes: list[Episode] = []
        self._rollout: Rollout | None = None
        self._calls = 0

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, Any]:
        """Play one episode for each prompt.

        Raises:
            UsageError: If a prompt names no task, or the chat template rewrites earlier turns.
        """
        agent = _agent_of(trainer)
        rollout = self._rollout = self._rollout.played_by(agent) if self._rollout else Rollout(agent)
        tasks = rollout.env(self.spec).tasks
        self._calls += 1
        # Processes share the attempts at a task, and each counts its own.
        process = int(trainer.accelerator.process_index)
        attempts: Counter[str] = Counter()
        assignments = []
        for prompt in prompts:
            task = tasks.by_id(_task_named_in(prompt))
            attempt, attempts[task.id] = attempts[task.id], attempts[task.id] + 1
            seed = derive_seed(self.seed, "trl", trainer.state.global_step, self._calls, task.id, process, attempt)
            name = f"{task.id}#{self._calls}.{process}.{attempt}"
            assignments.append(Assignment(name, self.spec, task, seed, f"{task.id}#{self._calls}", attempt))
        self.episodes = rollout.play(assignments)
        rows = [_row(episode, agent) for episode in self.episodes]
        return {
            "prompt_ids": [row[0] for row in rows],
            "completion_ids": [row[1] for row in rows],
            "env_mask": [row[2] for row in rows],
            "logprobs": [row[3] for row in rows],
            "episode_reward": [episode.reward if episode.valid else None for episode in self.episodes],
            "episode_status": [str(episode.verdict.status) for episode in self.episodes],
        }


def reward_of_episode(episode_reward: Sequence[float | None], **others: Any) -> list[float | None]:
    """Return what the episodes paid, None for those that are invalid; a reward function for TRL."""
    del others
    return list(episode_reward)


def _task_named_in(prompt: Any) -> str:
    try:
        return str(prompt[0]["task"])
    except (KeyError, TypeError, IndexError):
        raise UsageError(
            f"A prompt must name its task, as those of tasks_for_trl do; got {str(prompt)[:100]}."
        ) from None


def _agent_of(trainer: Any) -> LanguageAgent:
    args = trainer.args
    policy = LocalPolicy(trainer.accelerator.unwrap_model(trainer.model), trainer.processing_class, "trl")
    sampling = Sampling(
        args.max_completion_length, args.temperature, top_k=max(0, args.top_k or 0), top_p=float(args.top_p or 1.0)
    )
    return LanguageAgent(policy, sampling)


def _row(episode: Episode, agent: Agent) -> tuple[list[int], list[int], list[int], list[float]]:
    """Return an episode's prompt, completion, mask and log-probabilities."""
    rows = episode.rows()
    if len(rows) > 1:
        raise UsageError(
            f"Episode {episode.id!r} has {len(rows)} rows, because the chat template rewrites earlier turns, and TRL "
            "holds one a completion. Take a template that keeps them, or train with `palaestra evolve`, which learns "
            "from all rows."
        )
    assert agent.policy is not None
    nothing = int(agent.policy.tokenizer.eos_token_id)
    if not rows or not np.any(rows[0].turn >= 0):
        return [nothing], [nothing], [0], [0.0]
    row, start = rows[0], rows[0].prompt_length
    sampled = (row.turn[start:] >= 0) & episode.valid
    logprobs = np.where(sampled, row.logprobs[start:], 0.0)
    return row.ids[:start].tolist(), row.ids[start:].tolist(), sampled.astype(int).tolist(), logprobs.tolist()
