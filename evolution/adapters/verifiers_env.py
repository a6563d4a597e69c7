"""Our environments as an environment of verifiers (its `v1`).

verifiers finds environments by the name of a module. For its command line and its servers, write a module of one line,
`from palaestra.evolution.adapters.verifiers_env import *`, and give its name; from Python call `load_environment`.
"""

import asyncio
import sys
from collections.abc import Iterable
from typing import Any

from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.catalogue import make
from palaestra.envs.errors import InfrastructureError
from palaestra.envs.seeding import derive_seed
from palaestra.envs.verdict import Verdict

with needing("verifiers"):
    import verifiers.v1 as vf

__all__ = ["PalaestraEnv", "PalaestraTaskset", "load_environment"]


class PalaestraData(vf.TaskData):  # type: ignore[misc]
    """Which task of which world, and from which seed it is played."""

    spec: str
    task: str
    seed: int
    fingerprint: str


class PalaestraTask(vf.Task[PalaestraData]):  # type: ignore[misc]
    """A task of one of our worlds; what it pays the world itself says, see `PalaestraEnv`."""


class PalaestraTasksetConfig(vf.TasksetConfig):  # type: ignore[misc]
    """Which tasks.

    Attributes:
        spec: Names the world.
        held_out: Whether the held-out tasks are taken, for an evaluation, or the others.
        seed: Names the randomness of the worlds.
    """

    spec: str = "palaestra/Arithmetic-v0"
    held_out: bool = False
    seed: int = 0


class PalaestraTaskset(vf.Taskset[PalaestraTask, PalaestraTasksetConfig]):  # type: ignore[misc]
    """The tasks of one of our worlds."""

    def load(self) -> Iterable[PalaestraTask]:
        """Return the tasks; the world speaks first, so none has a prompt."""
        config = self.config
        split = make(config.spec).tasks.split()
        for task in split.test if config.held_out else split.train:
            seed = derive_seed(config.seed, "verifiers", task.id)
            data = PalaestraData(id=task.id, spec=config.spec, task=task.id, seed=seed, fingerprint=task.fingerprint)
            yield PalaestraTask(data, config.task)


class PalaestraEnvConfig(vf.EnvConfig):  # type: ignore[misc]
    """One agent; it is given no tools and runs no code."""

    agent: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"}, runtime={"type": "subprocess"})


class PalaestraEnv(vf.Env[PalaestraEnvConfig]):  # type: ignore[misc]
    """The world speaks as the user, and its return is the reward.

    A world that fails fails the episode (`episode.ok` is false, and `episode.errors` says why), so that it is no
    reward. What a trace's tokens are is a matter of verifiers' client.
    """

    async def run(self, task: PalaestraTask, agents: Any) -> None:
        """Play one episode.

        Raises:
            InfrastructureError: If the episode is invalid.
        """
        world = make(task.data.spec)
        try:
            options = {"task": task.data.task}
            observation, _ = await asyncio.to_thread(world.reset, seed=task.data.seed, options=options)
            paid, over, verdict = 0.0, False, None
            async with agents.agent.interaction(task) as interaction:
                while not over:
                    segment = await interaction.turn(observation)
                    if segment.terminated:
                        break
                    answer = await asyncio.to_thread(world.step, segment.last_reply)
                    observation, reward, terminated, truncated, info = answer
                    verdict = info.get("verdict", verdict)
                    paid, over = paid + reward, terminated or truncated
        finally:
            world.close()
        if isinstance(verdict, Verdict):
            if not verdict.valid:
                raise InfrastructureError(f"{verdict.status}: {verdict.detail}")
            interaction.trace.info["verdict"] = {"status": str(verdict.status), "detail": verdict.detail}
        interaction.trace.record_reward("palaestra", paid)


def load_environment(spec: str, *, held_out: bool = False, seed: int = 0, **settings: Any) -> Any:
    """Return an environment of verifiers that plays one of our worlds.

    Args:
        spec: Names the world.
        held_out: Whether the held-out tasks are played.
        seed: Names the randomness of the worlds.
        **settings: Of the environment, such as `agent={"harness": {"id": "bash"}}`.
    """
    # verifiers imports by a name without dots.
    sys.modules.setdefault("palaestra_verifiers", sys.modules[__name__])
    taskset = {"id": "palaestra_verifiers", "spec": spec, "held_out": held_out, "seed": seed}
    return vf.load_environment(vf.resolve_env_config({"taskset": taskset, **settings}))
