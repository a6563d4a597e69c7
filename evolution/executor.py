"""Where episodes are played: in this process, or on many machines."""

from palaestra.agents.agent import Agent
from palaestra.agents.rollout import Rollout
from palaestra.envs.errors import UsageError
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.recipe import Acquire

__all__ = ["check_executor", "rollout_on"]


def check_executor(spec: str, acquire: Acquire, *, engine: str) -> None:
    """Refuse an executor that is none, or that does not go with the rest.

    Args:
        spec: `ray`, or with options `ray?address=10.0.0.1:6379&actors=8`; nothing for this process.
        acquire: How the recipe acquires.
        engine: Who samples in this process; nothing for the policy itself.

    Raises:
        UsageError: If it is to be refused, Ray is not installed, or nobody is at the cluster's address.
    """
    if not spec:
        return
    from palaestra.agents.spread.cluster import knock, load_ray
    from palaestra.agents.spread.settings import parse_spread

    spread = parse_spread(spec)
    if not isinstance(acquire, SampleGroups):
        raise UsageError(
            f"--executor {spec} plays groups of attempts on other machines; this recipe acquires by "
            f"{type(acquire).__name__}, whose games are played in this process. Leave it out, or take a recipe that "
            "samples groups, such as grpo."
        )
    if engine:
        raise UsageError(
            f"--executor {spec} and --engine {engine} do not go together: the engine samples in this process, and on "
            "other machines copies of the policy sample for themselves. Leave one of them out."
        )
    load_ray()
    knock(spread.address)


def rollout_on(spec: str, agent: Agent) -> Rollout:
    """Return what plays with an agent where a spec says; to be closed."""
    if not spec:
        return Rollout(agent)
    from palaestra.agents.spread.rollout import SpreadRollout
    from palaestra.agents.spread.settings import parse_spread

    return SpreadRollout(agent, parse_spread(spec))
