"""Agents by name.

- `nursery:SKILL[?seed=0]`; `plan.hidden_size=64` and the like change how it is born (see `nursery.Plan`); what else
  stands behind the question mark are settings of the skill
- `local:PATH-or-id[?lora=8]`; `trust_remote_code=true` lets a model run the Python code that comes with it
- `vllm:PATH-or-id[?dtype=float32&context=4096&cache_gib=8]`
- `run:PATH[@step]`, a checkpoint of a run, by default the last; `trust_remote_code=true` as above. Of a run that
  learned in context it is the agent that the run began with, told the context of that step
- `http:MODEL@http://HOST:PORT/v1`, a model on a server that speaks the OpenAI chat protocol; options: `key` (name of
  the environment variable with the key), `concurrency`, `retries`, `connect` and `timeout` (seconds),
  `sampling=server`, `price_in` and `price_out` (of a million tokens), `budget`
- `scripted:random|oracle|constant?text=...`, and `scripted:crawler` in `palaestra/Crawl-v0`
- in arenas `search:minimax|mcts|cfr`

Whoever samples takes `stop=TEXT` too, as often as there are stop strings.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from palaestra.agents.agent import Agent
from palaestra.agents.language import LanguageAgent
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.told import ToldAgent, counter, with_context
from palaestra.agents.policy import Policy, Sampling
from palaestra.agents.scripted import ConstantAgent, OracleAgent, RandomAgent
from palaestra.envs.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from palaestra.agents.nursery import Plan

__all__ = ["checkpoint_spec", "load_agent", "parse_options", "refuse_untrainable", "run_checkpoints"]

_FORMS = (
    "Write nursery:SKILL, local:PATH-or-id, vllm:PATH-or-id, run:PATH[@step], http:MODEL@ADDRESS, search:minimax, "
    "search:mcts, search:cfr, scripted:random, scripted:oracle or scripted:constant?text=TEXT."
)

_TRUST = "trust_remote_code"
_PLAN = "plan."
_WITHOUT_WEIGHTS = {
    "http": "its weights are on a server, out of reach, and not every server says which tokens it sampled",
    "scripted": "it has no weights",
    "search": "it has no weights",
}


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
        UsageError: If an option's value is not understood, or the policy cannot be loaded, or not trained where it
            shall be.
    """
    kind, _, rest = spec.partition(":")
    name, _, query = rest.partition("?")
    policies: dict[str, Callable[[dict[str, str]], Policy]] = {
        "nursery": lambda options: _nursery(name, options, seed, progress),
        "local": lambda options: _local(name, options, trainable),
        "vllm": lambda options: _vllm(name, options),
    }
    others: dict[str, Callable[[dict[str, str]], Agent]] = {
        "search": lambda options: _search(name, options),
        "scripted": lambda options: _scripted(name, options),
    }
    kinds = [*policies, "run", "http", *others]
    if kind not in kinds:
        raise UnknownNameError("kind of agent", kind, kinds, _FORMS)
    if trainable:
        refuse_untrainable(spec)
    if not name:
        raise UsageError(f"The agent spec {spec!r} names nothing after its kind. {_FORMS}")
    if kind in others:
        return others[kind](parse_options(query))
    stop, rest = _stop_strings(query)
    if kind == "http":
        return _http(spec, name, parse_options(rest), sampling, system, stop)
    if kind == "run":
        checkpoint = _checkpoint(name, parse_options(rest))
        if Context.lies_in(checkpoint.folder):
            return _told(checkpoint, stop, sampling, trainable=trainable, system=system)
        policy = _of_run(checkpoint, trainable)
    else:
        policy = policies[kind](parse_options(rest))
    return LanguageAgent(policy, sampling, system=system, stop=stop)


def _stop_strings(query: str) -> tuple[tuple[str, ...], str]:
    """Return the stop strings among the options of a spec, and the other options."""
    parts = [part for part in query.split("&") if part]
    stop = tuple(unquote(part.removeprefix("stop=")) for part in parts if part.startswith("stop="))
    if "" in stop:
        raise UsageError("The option 'stop' is a string that ends replies, such as stop=%0A for the end of a line.")
    return stop, "&".join(part for part in parts if not part.startswith("stop="))


def refuse_untrainable(spec: str) -> None:
    """Raise `UsageError` if what a spec names cannot be trained here, or not with its stop strings."""
    if _stop_strings(spec.partition("?")[2])[0]:
        raise UsageError(
            "How a policy that learns is sampled is a matter of the recipe: leave `stop` out of its spec, and set "
            """it by --set 'acquire.sampling.stop=["TEXT"]' --set 'evaluate.sampling.stop=["TEXT"]'."""
        )
    kind = spec.partition(":")[0]
    if kind in _WITHOUT_WEIGHTS:
        raise UsageError(
            f"An agent of the kind {kind!r} cannot be trained: {_WITHOUT_WEIGHTS[kind]}. It can be benchmarked and "
            "play in arenas. Train nursery:SKILL or local:PATH-or-id."
        )


def checkpoint_spec(folder: Path, policy: str) -> str:
    """Return the spec of a checkpoint of the policy that a spec names: what that one may run, this one may."""
    trusted = _trusted(parse_options(policy.partition("?")[2]))
    return f"local:{quote(str(folder))}" + (f"?{_TRUST}=true" if trusted else "")


def parse_options(query: str) -> dict[str, str]:
    """Return the options that stand after the question mark of a spec."""
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
    from palaestra.agents.nursery import born, suited

    named = _number(options, "seed", seed)
    changes = {key.removeprefix(_PLAN): value for key, value in options.items() if key.startswith(_PLAN)}
    of_skill = {key: value for key, value in options.items() if key != "seed" and not key.startswith(_PLAN)}
    settings = "&".join(f"{key}={quote(value)}" for key, value in of_skill.items())
    named_skill = f"{skill}?{settings}" if settings else skill
    plan = _planned(suited(named_skill), changes) if changes else None
    return born(named_skill, named, plan=plan, progress=progress)


def _planned(plan: "Plan", options: dict[str, str]) -> "Plan":
    """Return a plan of birth with some of its numbers changed."""
    known = asdict(plan)
    _take(options, "nursery, after 'plan.'", *known)
    changes: dict[str, int | float] = {}
    for key, text in options.items():
        kind = type(known[key])
        try:
            changes[key] = kind(text)
        except ValueError:
            raise UsageError(f"The option 'plan.{key}' must be {kind.__name__}, got {text!r}.") from None
        if not 0 <= changes[key] < float("inf"):
            raise UsageError(f"The option 'plan.{key}' must be finite and not negative, got {text}.")
    return replace(plan, **changes)  # type: ignore[arg-type]


def _local(path: str, options: dict[str, str], trainable: bool) -> Policy:
    from palaestra.agents.local import LocalPolicy

    _take(options, "local", "lora", _TRUST)
    return LocalPolicy.load(
        unquote(path), trainable=trainable, lora_rank=_number(options, "lora", 0), trust_remote_code=_trusted(options)
    )


def _trusted(options: dict[str, str]) -> bool:
    value = options.get(_TRUST, "false")
    if value not in ("true", "false"):
        raise UsageError(f"The option {_TRUST!r} must be true or false, got {value!r}.")
    return value == "true"


def _vllm(path: str, options: dict[str, str]) -> Policy:
    from palaestra.agents.engine.policy import VllmPolicy
    from palaestra.agents.engine.settings import engine_settings

    return VllmPolicy.load(unquote(path), **engine_settings(options))


def run_checkpoints(run: Path) -> dict[int, Path]:
    """Return where the weights of a run's steps are kept, by step; empty for what is no run."""
    folders = [run / "checkpoints", run / "league"]
    return {int(f.name[5:]): f for folder in folders for f in sorted(folder.glob("step-*")) if f.name[5:].isdecimal()}


class _Checkpoint(NamedTuple):
    """A step of a run."""

    run: Path
    number: int
    folder: Path
    trusted: bool


def _checkpoint(place: str, options: dict[str, str]) -> _Checkpoint:
    """Return the checkpoint that a spec names."""
    _take(options, "run", _TRUST)
    path, _, step = unquote(place).rpartition("@") if "@" in place else (unquote(place), "", "")
    kept = run_checkpoints(Path(path))
    if not kept:
        raise UsageError(f"{path!r} is no run with checkpoints: expected a folder that `palaestra evolve` wrote.")
    if step and (not step.isdecimal() or int(step) not in kept):
        raise UsageError(f"The run {path!r} has no checkpoint {step!r}; it has {', '.join(map(str, sorted(kept)))}.")
    number = int(step) if step else max(kept)
    return _Checkpoint(Path(path), number, kept[number], _trusted(options))


def _of_run(checkpoint: _Checkpoint, trainable: bool) -> Policy:
    """Return the policy of a run at one of its checkpoints."""
    from palaestra.agents.local import LocalPolicy

    policy = LocalPolicy.load(checkpoint.folder, trainable=trainable, trust_remote_code=checkpoint.trusted)
    policy.name = f"run:{quote(str(checkpoint.run))}@{checkpoint.number}"
    return policy


def _told(
    checkpoint: _Checkpoint, stop: tuple[str, ...], sampling: Sampling | None, *, trainable: bool, system: str
) -> Agent:
    """Return the agent that a run in context began with, told what it is told at a checkpoint."""
    config = json.loads((checkpoint.run / "run.json").read_text(encoding="utf-8"))["config"]
    policy = str(config["policy"])
    if trainable:
        raise UsageError(
            f"The run {str(checkpoint.run)!r} changed what its agent is told, and holds no weights. To train those "
            f"that it began with, name its policy: {policy}."
        )
    kind, _, query = policy.partition("?")
    # Whether code that comes with a model may be run is for whoever names the run to say, now.
    options = [part for part in query.split("&") if part and not part.startswith(f"{_TRUST}=")]
    options += [f"stop={quote(text, safe='')}" for text in stop] + [f"{_TRUST}=true"] * checkpoint.trusted
    spec = kind + ("?" + "&".join(options) if options else "")
    agent = load_agent(spec, sampling=sampling, system=system, seed=int(config["seed"]))
    bare = agent.agent if isinstance(agent, ToldAgent) else agent
    return with_context(bare, Context.load(checkpoint.folder, counter(bare)))


def _http(
    spec: str, name: str, options: dict[str, str], sampling: Sampling | None, system: str, stop: tuple[str, ...]
) -> Agent:
    from palaestra.agents.http.agent import HttpAgent
    from palaestra.agents.http.endpoint import parse_endpoint

    return HttpAgent(parse_endpoint(name, options), sampling, system=system, name=spec, stop=stop)


def _search(name: str, options: dict[str, str]) -> Agent:
    from palaestra.agents.search.specs import load_search

    return load_search(name, options)


def _scripted(name: str, options: dict[str, str]) -> Agent:
    if name == "constant":
        _take(options, "scripted:constant", "text")
        if "text" not in options:
            raise UsageError("scripted:constant needs what it says: write scripted:constant?text=TEXT.")
        return ConstantAgent(options["text"])
    if name == "crawler":
        from palaestra.agents.crawler import CrawlerAgent

        _take(options, "scripted:crawler")
        return CrawlerAgent()
    agents: dict[str, Agent] = {"random": RandomAgent(), "oracle": OracleAgent()}
    if name not in agents:
        raise UnknownNameError("scripted agent", name, [*agents, "constant", "crawler"])
    _take(options, f"scripted:{name}")
    return agents[name]
