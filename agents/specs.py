"""Agents by name: `nursery:SKILL[?seed=0]`, `local:PATH-or-id[?lora=8]`, `scripted:random|oracle|constant?text=...`."""

from collections.abc import Callable
from urllib.parse import unquote

from palaestra.agents.agent import Agent
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import Policy, Sampling
from palaestra.agents.scripted import ConstantAgent, OracleAgent, RandomAgent
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["load_agent"]

_FORMS = "Write nursery:SKILL, local:PATH-or-id, scripted:random, scripted:oracle or scripted:constant?text=TEXT."


def load_agent(
    spec: str,
    *,
    sampling: Sampling | None = None,
    trainable: bool = False,
    system: str = "",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Agent:
    """Return the agent that a spec names.

    Args:
        spec: Kind, colon, name, and options after a question mark: `?key=value&key=value`, percent-encoded.
        sampling: How a policy is sampled.
        trainable: Whether the policy's weights will be updated.
        system: What a policy is told before everything else.
        seed: Seed of a nursery policy whose spec names none.
        progress: Called with (done, total) while a policy is being born.

    Raises:
        UnknownNameError: If the kind, the name or an option is not known.
        UsageError: If an option's value is not understood, or the policy cannot be loaded.
    """
    kind, _, rest = spec.partition(":")
    name, _, query = rest.partition("?")
    loaders: dict[str, Callable[[dict[str, str]], Agent]] = {
        "nursery": lambda options: LanguageAgent(_nursery(name, options, seed, progress), sampling, system=system),
        "local": lambda options: LanguageAgent(_local(name, options, trainable), sampling, system=system),
        "scripted": lambda options: _scripted(name, options),
    }
    if kind not in loaders:
        raise UnknownNameError("kind of agent", kind, loaders, _FORMS)
    if not name:
        raise UsageError(f"The agent spec {spec!r} names nothing after its kind. {_FORMS}")
    return loaders[kind](_options(query))


def _options(query: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {unquote(key): unquote(value) for key, _, value in pairs}


def _take(options: dict[str, str], of: str, *known: str) -> None:
    for key in options:
        if key not in known:
            raise UnknownNameError(f"option of {of}", key, known or ["(none)"])


def _number(options: dict[str, str], key: str, default: int) -> int:
    value = options.get(key, str(default))
    if not value.isascii() or not value.isdecimal():
        raise UsageError(f"The option {key!r} must be a whole number from 0, got {value!r}.")
    return int(value)


# torch is imported late, because scripted agents do without it.


def _nursery(skill: str, options: dict[str, str], seed: int, progress: Callable[[int, int], None] | None) -> Policy:
    from palaestra.agents.nursery import born

    _take(options, "nursery", "seed")
    return born(skill, _number(options, "seed", seed), progress=progress)


def _local(path: str, options: dict[str, str], trainable: bool) -> Policy:
    from palaestra.agents.local import LocalPolicy

    _take(options, "local", "lora")
    return LocalPolicy.load(unquote(path), trainable=trainable, lora_rank=_number(options, "lora", 0))


def _scripted(name: str, options: dict[str, str]) -> Agent:
    if name == "constant":
        _take(options, "scripted:constant", "text")
        if "text" not in options:
            raise UsageError("scripted:constant needs what it says: write scripted:constant?text=TEXT.")
        return ConstantAgent(options["text"])
    agents: dict[str, Agent] = {"random": RandomAgent(), "oracle": OracleAgent()}
    if name not in agents:
        raise UnknownNameError("scripted agent", name, [*agents, "constant"])
    _take(options, f"scripted:{name}")
    return agents[name]
