"""The four phases of a recipe in words."""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["phases"]

# What the parts of our recipes do; others are called by their names.
_SENTENCES = {
    "SampleGroups": "Plays {groups} tasks a step, {attempts} attempts each, sampled by the policy itself",
    "Curriculum": "Chooses tasks of middle difficulty, as the last steps have found it",
    "Demonstrate": "Is shown {tasks} solved tasks a step",
    "Replay": "Plays new groups, and takes up groups of earlier steps again",
    "SelfPlay": "Plays {games} games a step against itself or its ancestors",
    "SearchPlay": "Plays games in which a search led by the policy chooses the moves",
    "Answered": "Plays its tasks in the way of answering that the recipe is about",
    "Rationalise": "Tries tasks, and is told the answer of those it fails at",
    "TellPrinciples": "Plays its tasks with written principles in front of them",
    "KeepFinished": "keeps what came to an end",
    "KeepUnquoted": "leaves out what quotes {words} words in a row of what was told",
    "ForgetHint": "forgets what was told besides the task",
    "KeepInformativeGroups": "keeps groups whose attempts earned differently",
    "KeepCorrect": "keeps what was judged correct",
    "CapPerTask": "keeps at most {limit} episodes a task",
    "PolicyGradient": "Climbs the policy gradient: credit {credit}, loss {loss}",
    "Finetune": "Imitates what is left by fine-tuning",
    "SetAside": "sets all of it aside: nobody learns from it",
    "Unchanged": "Changes nothing",
    "InContext": "Changes what the agent is told, not its weights, where tasks set aside are solved no worse with it",
    "Correcting": "Plays {tasks} held-out tasks alone at first, then in each way of answering",
    "HeldOut": "Plays {tasks} held-out tasks, greedily",
    "Untold": "Plays {tasks} held-out tasks greedily, untold and told the principles",
    "Sparring": "Plays {games} games against each of {opponents}",
}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def phases(parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the phases in order: `name`, `says`, and `options` as pairs of name and value.

    Args:
        parts: A recipe as `describe` tells it.
    """
    refine = parts.get("refine") or []
    steps, every = parts.get("steps"), parts.get("evaluate_every")
    said = "; ".join(_says(part) for part in refine) or "takes all valid episodes as they are"
    return [
        _phase("acquire", parts.get("acquire") or {}),
        {
            "name": "refine",
            "says": said[:1].upper() + said[1:],
            "options": [(f"{n}.{name}", value) for n, part in enumerate(refine) for name, value in _options(part)],
        },
        _phase("update", parts.get("update") or {}),
        _phase("evaluate", parts.get("evaluate") or {}, _often(every, steps)),
    ]


def _often(every: int | None, steps: int | None) -> str:
    if not every:
        return ""
    return f", every step of {steps}" if every == 1 else f", every {every} steps of {steps}"


def _phase(name: str, part: Mapping[str, Any], more: str = "") -> dict[str, Any]:
    return {"name": name, "says": _says(part) + more, "options": _options(part)}


def _says(part: Mapping[str, Any]) -> str:
    kind = str(part.get("kind", "nothing"))
    sentence = _SENTENCES.get(kind)
    if sentence is not None:
        told = {k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in part.items()}
        try:
            return sentence.format(**told).replace(" 1 attempts each", " 1 attempt each")
        except KeyError:  # a run of a version whose part had other options
            pass
    words = _WORD.sub(" ", kind)
    return words[:1] + words[1:].lower()


def _options(part: Mapping[str, Any], path: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in part.items():
        if name == "kind":
            continue
        here = f"{path}{name}"
        if isinstance(value, Mapping):
            kind = value.get("kind")
            found += [(here, str(kind))] if kind and kind != "Sampling" else []
            found += _options(value, f"{here}.")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value):
                found += [(f"{here}.{number}", str(one.get("kind", ""))), *_options(one, f"{here}.{number}.")]
        else:
            found.append((here, "none" if value is None else str(value)))
    return found
