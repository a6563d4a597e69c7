"""Who played and in which world, by content: two things of one identity would play alike, wherever they lie."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from palaestra.agents.agent import Agent
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.told import ToldAgent
from palaestra.agents.specs import parse_options, run_checkpoints
from palaestra.envs import catalogue
from palaestra.envs.adapters.prefixes import adapter_of
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.spoken import SpokenArena
from palaestra.envs.arena.world import ArenaWorld
from palaestra.envs.errors import UnknownNameError
from palaestra.envs.task import Task
from palaestra.envs.text import TextWorld
from palaestra.envs.text_env import TextEnv
from palaestra.evolution.benchmark.code_version import code_version
from palaestra.evolution.durable import dump_json, read_json

__all__ = ["key_of", "policy_identity", "task_key", "world_identity"]

# What transformers and peft read of a checkpoint; optimiser and state of a run lie in the same folder.
_OF_A_MODEL = re.compile(
    r".*\.safetensors|pytorch_model.*\.bin|adapter_model\.bin|.*\.index\.json|(adapter_|generation_|tokenizer_)?config\.json"
    r"|tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab.*|merges\.txt|.*\.jinja|.*\.model|.*\.py"
)
# Options that change how a server is asked, not what it says.
_OF_THE_WAY = ("key", "concurrency", "retries", "connect", "timeout", "price_in", "price_out", "budget")
_BLOCK = 2**22


def key_of(identity: Mapping[str, Any]) -> str:
    """Return 32 hex digits that are those of equal identities alone."""
    return blake2b(json.dumps(identity, sort_keys=True).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def task_key(task: Task) -> str:
    """Return 32 hex digits over all of a task but its name: prompt, reference and metadata."""
    return key_of({"prompt": task.prompt, "reference": task.reference, "metadata": dict(task.metadata)})


def world_identity(spec: str, env: TextEnv) -> dict[str, Any]:
    """Return which world a spec means: its id, its settings and the code that it and its judge are made of.

    A setting that names a file or folder stands for what this holds; so does a file that a world of another package is
    made of. Of a world that puts another into words, the other's code counts, too.
    """
    name, _, query = spec.partition("?")
    try:
        name = catalogue.world(name).id
    except UnknownNameError:
        name = name.strip()
    settings, code = _by_content(parse_options(query)), code_version(type(env))
    identity: dict[str, Any] = {"id": name, "settings": settings, "code": code}
    if adapter_of(name) is not None and (file := Path(name.partition(":")[2].partition("@")[0])).is_file():
        identity["file"] = _digest_of([file], file)
    if spoken_for := [code_version(type(one)) for one in _spoken_for(env)]:
        identity["spoken_for"] = spoken_for
    return identity


def _spoken_for(env: TextEnv) -> Iterator[object]:
    """Yield what a world puts into words: another package's world, or a game and its rules."""
    if isinstance(env, TextWorld):
        yield env.inner.unwrapped
    elif isinstance(env, ArenaWorld):
        yield env.arena
        if isinstance(env.arena, GameArena):
            yield env.arena.rules
        elif isinstance(env.arena, SpokenArena):
            # A parallel game is itself wrapped, to be played in turns.
            yield from (getattr(env.arena.world, "env", env.arena.world), env.arena.writer)


def policy_identity(spec: str, agent: Agent) -> dict[str, Any]:
    """Return who plays: weights by their content, a model on a server by its name and address.

    Args:
        spec: What the agent was loaded by.
        agent: The agent.

    Returns:
        Plain JSON values. Of a checkpoint: the digest of the files that a model is loaded from. Of a model of the hub:
        its name and commit. Of an agent without weights: the code of its class too. Of a run in context: the agent
        that it began with, and the digest of what that is told.
    """
    kind, _, rest = spec.partition(":")
    name, _, query = rest.partition("?")
    options = _by_content(parse_options(query))
    if stops := sorted(part for part in query.split("&") if part.startswith("stop=")):
        options["stop"] = stops
    identity: dict[str, Any] = {"kind": kind, "options": options}
    if kind == "http":
        served = {key: value for key, value in options.items() if key not in _OF_THE_WAY}
        return identity | {"endpoint": name.rstrip("/").removesuffix("/chat/completions"), "options": served}
    if kind in ("local", "vllm"):
        # One checkpoint is one policy, whoever samples from it; engines round otherwise, so kinds are kept apart.
        return identity | {"weights": _files_or_commit(unquote(name), agent)}
    if kind == "run":
        if isinstance(agent, ToldAgent):
            by = policy_identity(_taught(spec), agent.agent)
            return {"kind": "told", "options": options, "by": by, "context": agent.context.digest}
        return {"kind": "local", "options": options, "weights": _digest_of_folder(_checkpoint(unquote(name))[1])}
    if kind == "nursery":
        return {"kind": "nursery", "weights": _weights_in_memory(agent), "options": {"stop": options.get("stop", [])}}
    identity |= {"name": name, "code": code_version(type(agent))}
    return identity | ({"weights": _weights_in_memory(agent)} if agent.policy is not None else {})


def _by_content(options: Mapping[str, str]) -> dict[str, Any]:
    return {key: _content_of(key, value) for key, value in sorted(options.items()) if key != "stop"}


def _content_of(key: str, value: str) -> str:
    """Return a value; of the name of a file or folder, the digest of what it holds."""
    try:
        path = Path(value)
        # A word that is no path means what it says, whatever lies beside it.
        if (key == "path" or "/" in value or "." in value) and path.exists():
            return f"content {_digest_of([path] if path.is_file() else _walk(path), path)}"
    except (OSError, ValueError):  # no name that a file could have
        pass
    return value


def _checkpoint(place: str) -> tuple[Path, Path]:
    """Return a run and the folder of the checkpoint that a spec names."""
    path, at, step = place.rpartition("@")
    run = Path(path if at else place)
    kept = run_checkpoints(run)
    return run, kept[int(step) if at else max(kept)]


def _taught(spec: str) -> str:
    """Return the spec of whoever a run in context began with, be it with what another such run told."""
    kind, _, rest = spec.partition(":")
    if kind != "run":
        return spec
    run, checkpoint = _checkpoint(unquote(rest.partition("?")[0]))
    return _taught(str(read_json(run / "run.json")["config"]["policy"])) if Context.lies_in(checkpoint) else spec


def _files_or_commit(name: str, agent: Agent) -> dict[str, Any]:
    path = Path(name)
    if path.is_dir():
        return _digest_of_folder(path)
    model = getattr(agent.policy, "model", None)
    return {"hub": name, "commit": str(getattr(getattr(model, "config", None), "_commit_hash", None) or "")}


def _digest_of_folder(folder: Path) -> dict[str, Any]:
    about = folder / "adapter_config.json"
    files = (p for p in folder.iterdir() if p.is_file() and p != about and _OF_A_MODEL.fullmatch(p.name))
    found = {"files": _digest_of(files, folder)}
    if about.is_file():
        settings = json.loads(about.read_text(encoding="utf-8"))
        # The base is the adapters' other half; its place is written into them and says nothing by itself.
        base = Path(str(settings.pop("base_model_name_or_path", None) or ""))
        found["adapters"] = key_of(settings)
        found["base"] = str(_digest_of_folder(base)["files"]) if base.is_dir() else str(base)
    return found


def _walk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _digest_of(paths: Iterable[Path], root: Path) -> str:
    content = blake2b(digest_size=16)
    for path in sorted(paths):
        content.update(f"{path.relative_to(root) if path != root else ''}\x1f{path.stat().st_size}\x1f".encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                content.update(block)
    return content.hexdigest()


def _weights_in_memory(agent: Agent) -> str:
    """Return a digest of a small model's tensors and of its tokenizer."""
    model = getattr(agent.policy, "model", None)
    if model is None:
        return dump_json({"name": agent.name})
    import torch

    content = blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        content.update(f"{name}\x1f{tuple(tensor.shape)}\x1f{tensor.dtype}\x1f".encode() + flat.numpy().tobytes())
    tokenizer = getattr(agent.policy, "tokenizer", None)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content.update((backend.to_str() if backend is not None else "").encode())
    content.update(str(getattr(tokenizer, "chat_template", "")).encode())
    return content.hexdigest()
