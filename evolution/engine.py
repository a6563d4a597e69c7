"""Who samples for a policy that learns: the policy itself, or an engine beside it that is given every update."""

from copy import copy
from importlib.util import find_spec
from pathlib import Path

from palaestra.agents.agent import Agent
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.specs import parse_options
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["Sampler", "check_engine"]

_ENGINES = ("vllm",)


def check_engine(spec: str) -> None:
    """Refuse a spec that names no engine, or one that is not installed.

    Args:
        spec: `vllm`, or with options `vllm?dtype=float32&cache_gib=8`; nothing for the policy itself.

    Raises:
        UsageError: If it is to be refused.
    """
    from palaestra.agents.engine.settings import engine_settings

    name, _, query = spec.partition("?")
    if spec and name not in _ENGINES:
        raise UnknownNameError("engine", name, _ENGINES, "Without --engine the policy that learns samples itself.")
    engine_settings(parse_options(query))
    if spec and find_spec(name) is None:
        from palaestra.agents.engine.thread import INSTALL

        raise UsageError(f"--engine {spec} needs vLLM, which is not installed. {INSTALL}")


class Sampler:
    """The agent that acquires and is measured while `learner` is trained.

    Args:
        agent: Speaks for the policy that learns.
        learner: That policy.
        spec: Engine, see `check_engine`; without one the policy samples itself.
        scratch: Where an engine may put files.

    Attributes:
        agent: Who plays: `agent`, or one like it whose policy is the engine.

    Raises:
        UsageError: If the engine is not installed or does not take the model.
        SynchronisationError: If it computes something else than the trainer.
    """

    def __init__(self, agent: Agent, learner: LocalPolicy, spec: str, scratch: Path) -> None:
        self.agent = agent
        self._learner = learner
        self._engine = None
        if not spec:
            return
        check_engine(spec)
        if not isinstance(agent, LanguageAgent):
            raise UsageError(f"{agent.name} is no agent whose policy an engine could sample for; leave out --engine.")
        from palaestra.agents.engine.policy import VllmPolicy
        from palaestra.agents.engine.settings import engine_settings

        settings = engine_settings(parse_options(spec.partition("?")[2]))
        self._engine = VllmPolicy.beside(learner, scratch, **settings)
        twin = copy(agent)
        twin.policy = self._engine
        self.agent = twin

    def follow(self) -> dict[str, float]:
        """Give the weights to the engine, which verifies them; return how far its numbers are from the trainer's.

        Raises:
            SynchronisationError: If that is further than rounding explains.
        """
        if self._engine is None:
            return {}
        agreement = self._engine.follow(self._learner)
        return {"engine_largest_difference": agreement.largest, "engine_mean_difference": agreement.mean}

    def close(self) -> None:
        """Stop the engine."""
        if self._engine is not None:
            self._engine.close()
