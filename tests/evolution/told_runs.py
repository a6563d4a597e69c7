"""Runs to tell of, made of recorded facts alone: nobody plays or learns, so thousands of episodes take seconds."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.durable import RowLog
from palaestra.evolution.run import Run

ENV = "palaestra/Arithmetic-v0"
PARTS: dict[str, Any] = {
    "kind": "Recipe",
    "name": "grpo",
    "acquire": {"kind": "SampleGroups", "groups": 2, "attempts": 4, "sampling": {"kind": "Sampling", "max_tokens": 8}},
    "refine": [{"kind": "KeepInformativeGroups"}],
    "update": {"kind": "PolicyGradient", "credit": "grpo", "gamma": 1.0, "loss": "grpo"},
    "evaluate": {"kind": "HeldOut", "tasks": 8},
    "steps": 6,
    "evaluate_every": 3,
    "checkpoint_every": 3,
}
Say = Callable[[int, int, bool], str]


def config(seed: int = 0) -> dict[str, Any]:
    objective = {"ability": "sums", "ladder": [ENV], "direction": "improve", "rung": 0, "watched": [], "mastery": 0.95}
    return {
        "recipe": "grpo",
        "settings": {"steps": 6},
        "parts": PARTS,
        "objective": {"kind": "Objective", **objective},
        "task_sets": {ENV: "0" * 32},
        "policy": "nursery:arithmetic",
        "seed": seed,
        "command": ["palaestra", "evolve", "grpo"],
        "auditor": "",
    }


def answer(a: int, b: int, right: bool) -> str:
    return str(a + b if right else a + b - 10)


def lived(
    id_: str, task: str, group: str, attempt: int, *, right: bool, version: int, ask: str, reply: str, turns: int = 1
) -> Episode:
    tokenizer = build_tokenizer(512)
    verdict = Verdict(float(right), Status.CORRECT if right else Status.WRONG, f"{reply} came")
    told = []
    for turn in range(turns):
        words = f"<|user|>{ask}<|end|><|assistant|>" if turn == 0 else f"<|user|>and turn {turn}?<|end|><|assistant|>"
        context = tokenizer.encode(words, add_special_tokens=False)
        ids = tokenizer.encode(reply + "<|end|>", add_special_tokens=False)
        generator = np.random.default_rng([attempt, turn, version])
        last = turn == turns - 1
        told.append(
            Turn(
                observation=ask if turn == 0 else f"and turn {turn}?",
                reply=reply,
                action=reply,
                reward=float(right) if last else 0.0,
                verdict=verdict if last else None,
                context_ids=np.array(context, np.int32),
                continues=turn > 0,
                reply_ids=np.array(ids, np.int32),
                logprobs=-generator.exponential(0.7, len(ids)).astype(np.float32),
                finish=FinishReason.STOP,
                versions=np.full(len(ids), version, np.int32),
            )
        )
    return Episode(id_, ENV, task, task.rjust(32, "0"), group, attempt, 0, "nursery", tuple(told), verdict)


def play_step(step: int, groups: int, attempts: int, say: Say, turns: int = 1) -> list[Episode]:
    episodes = []
    for group in range(groups):
        a, b = 10 + group % 80, step % 90
        for attempt in range(attempts):
            right = (attempt + group) % attempts < step  # more of them are right as it goes on
            episodes.append(
                lived(
                    f"s{step}/g{group}/a{attempt}",
                    f"{a}+{b}",
                    f"s{step}/g{group}",
                    attempt,
                    right=right,
                    version=step - 1,
                    ask=f"{a} + {b} = ?",
                    reply=say(a, b, right),
                    turns=turns,
                )
            )
    return episodes


def evaluate(step: int, tasks: int, right: Callable[[int], bool], say: Say) -> list[Episode]:
    return [
        lived(
            f"{ENV}/greedy/{t}+1/a0",
            f"{t}+1",
            "greedy",
            0,
            right=right(t),
            version=step,
            ask=f"{t} + 1 = ?",
            reply=say(t, 1, right(t)),
        )
        for t in range(tasks)
    ]


def begin(place: Path, *, seed: int = 0) -> None:
    with Run.create(place, config(seed)) as run:
        checkpoint(run, 0, [])


def checkpoint(run: Run, step: int, history: Sequence[Any]) -> None:
    def write(directory: Path) -> None:
        build_tokenizer(512).save_pretrained(str(directory))
        (directory / "loop.json").write_text(json.dumps({"history": list(history), "seconds": 2.0 * step}))

    run.commit_checkpoint(step, write)


def measure(run: Run, step: int, tasks: int, share: float, say: Say = answer) -> None:
    episodes = evaluate(step, tasks, lambda t: t < share * tasks, say)
    run.evaluations.write(f"step-{step:06d}", episodes, {"step": step, "seconds": 0.5, "figures": {}})
    row = {"accuracy": share, "low": max(0.0, share - 0.1), "high": min(1.0, share + 0.1), "reward": share}
    append(run, {"step": step, "phase": f"evaluate/{ENV}", "time": 0.0, **row})


def go_on(
    run: Run,
    step: int,
    *,
    groups: int = 2,
    attempts: int = 4,
    say: Say = answer,
    turns: int = 1,
    versions: tuple[int, int] | None = None,
    context: dict[str, Any] | None = None,
) -> None:
    """Commit one step: episodes, lineage (with that of what is told, where it is given), figures."""
    episodes = play_step(step, groups, attempts, say, turns)
    run.experience.write(f"step-{step:06d}", episodes, {"step": step})
    learned = [episode.id for episode in episodes[: len(episodes) // 2]]
    counts = {"acquired": len(episodes), "recalled": 0, "valid": len(episodes), "KeepInformativeGroups": len(learned)}
    facts = {"objective": ENV, "experience": f"step-{step:06d}", "refined": counts, "learned_from": learned}
    before, after = versions or (step - 1, step)
    told = {"context": context} if context else {}
    run.record_lineage(step, facts | {"version_before": before, "version_after": after, "last_evaluation": 0} | told)
    reward = float(np.mean([episode.reward for episode in episodes]))
    figures = {"reward": reward, "correct": reward, "acquired": len(episodes), "used": len(learned), "invalid": 0}
    times = {"seconds/acquire": 1.0, "seconds/refine": 0.1, "seconds/update": 0.5, "share_of_seconds/sampling": 0.4}
    more = {"tokens": 4 * len(episodes), "watch/length": 3.0, "watch/duplicates": 0.5, "update/loss": 0.1 / step}
    append(run, {"step": step, "phase": "train", "time": 0.0, **figures, **times, **more})


def append(run: Run, row: dict[str, Any]) -> None:
    # Beside `Run.log`, which writes events for TensorBoard too and takes a second to load what does.
    log = RowLog(run.directory / "metrics.jsonl")
    log.append(row)
    log.close()


def told_run(
    place: Path,
    *,
    steps: int = 6,
    groups: int = 2,
    attempts: int = 4,
    tasks: int = 8,
    say: Say = answer,
    seed: int = 0,
    turns: int = 1,
) -> Path:
    """Make a run that was stopped after some steps, measured before and after."""
    begin(place, seed=seed)
    with Run.open(place) as run:
        measure(run, 0, tasks, 0.25, say)
        for step in range(1, steps + 1):
            go_on(run, step, groups=groups, attempts=attempts, say=say, turns=turns)
        measure(run, steps, tasks, 0.75, say)
        checkpoint(run, steps, [])
    return place
