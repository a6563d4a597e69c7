"""Runs that answer in several ways, or learn by what they are told: recorded facts, measured by the real parts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from palaestra.agents.drafting import Drafts
from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind, Provenance
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.correcting import ALONE, Arm, Correcting
from palaestra.evolution.evaluation.record import Score
from palaestra.evolution.recipe import describe
from palaestra.evolution.run import Run
from told_runs import ENV, PARTS, append, checkpoint, config, go_on, lived, measure

REVIEW = Drafts(judged_by="oracle", ask="")
CORRECTING = Correcting((Arm("review", REVIEW), Arm("again", REVIEW)), tasks=8)
# Right after the first, the second and the third draft, task by task; a shorter one stood.
REVIEWED = ("100", "010", "1", "001", "100", "000", "1", "011")
AGAIN = ("111", "011", "1", "001", "111", "000", "1", "011")


def drafted(task: int, group: str, drafts: str, *, step: int) -> Episode:
    """Return the episode of one task in which each draft, and the last of them, is right (1) or wrong (0)."""
    label = "review" if group == ALONE else group
    whole = lived(
        f"{ENV}/{label}/{task}+1/a0",
        f"{task}+1",
        group,
        0,
        right=drafts[-1] == "1",
        version=step,
        ask=f"{task} + 1 = ?",
        reply=str(task + 1 if drafts[-1] == "1" else task - 9),
        turns=len(drafts),
    )
    verdicts = [Verdict(float(right), Status.CORRECT if right else Status.WRONG) for right in map(int, drafts)]
    turns = tuple(replace(turn, verdict=verdict) for turn, verdict in zip(whole.turns, verdicts, strict=True))
    return replace(whole, turns=turns)


def score_row(step: int, score: Score) -> dict[str, Any]:
    bounds = {"accuracy": score.accuracy.value, "low": score.accuracy.low, "high": score.accuracy.high}
    return {"step": step, "phase": f"evaluate/{score.env}", "time": 0.0, **bounds, "reward": 0.0, **score.figures}


def evaluated(run: Run, step: int, episodes: Sequence[Episode]) -> None:
    run.evaluations.write(f"step-{step:06d}", episodes, {"step": step, "seconds": 0.5, "figures": {}})
    for score in CORRECTING.scores(ENV, episodes, {}):
        append(run, score_row(step, score))


def answering_run(place: Path) -> Path:
    """Make a run that answered alone first, then in two ways; nothing was learned."""
    parts = PARTS | {"evaluate": describe(CORRECTING), "steps": 1}
    with Run.create(place, config() | {"recipe": "audit", "parts": parts}) as run:
        checkpoint(run, 0, [])
        evaluated(run, 0, [drafted(n, ALONE, right[0], step=0) for n, right in enumerate(REVIEWED)])
        go_on(run, 1)
        ways = {"review": REVIEWED, "again": AGAIN}
        evaluated(run, 1, [drafted(n, way, right, step=1) for way in ways for n, right in enumerate(ways[way])])
        checkpoint(run, 1, [])
    return place


def lesson(context: Context, text: str, step: int, kind: Kind = Kind.INSIGHT, key: str = "") -> None:
    context.memory.add(kind, text, key=key, provenance=Provenance("run", step, f"s{step}/g0/a0", "nursery"))


def versions() -> list[Context]:
    """Return what was told: nothing; a lesson; other instructions, a skill, two lessons; that without a skill."""
    first = Context("Answer with a number.\nBe brief.\n")
    second = first.draft()
    lesson(second, "Carry the one.", 1, key="17 + 5 = ?")
    third = replace(second.draft(), instructions="Answer with a number.\nBe very brief.\n")
    lesson(third, "<b>Ten is not one.</b>", 3)
    lesson(third, "def add(a, b):\n    return a + b", 3, Kind.SKILL, "sums")
    third.memory.edit(1, "Always carry the one.", votes=2)
    fourth = third.draft()
    fourth.memory.remove(3)
    return [first, second, third, fourth]


def keep(run: Run, context: Context) -> None:
    place = run.contexts / context.digest
    place.mkdir(parents=True)
    context.save(place)


def compared(before: float, after: float, deviation: float) -> dict[str, float]:
    return {"tasks": 64, "before": before, "after": after, "deviation": deviation}


def telling_run(place: Path) -> Path:
    """Make a run that accepted three versions, rejected one proposal, and at last went back to the second version."""
    with Run.create(place, config() | {"recipe": "reflexion"}) as run:
        checkpoint(run, 0, [])
        measure(run, 0, 8, 0.25)
        told = versions()
        digests = [context.digest for context in told]
        for context in told:
            keep(run, context)
        rejected = {"proposed": "feedfacefeedface", "validation": compared(0.5, 0.25, 0.125), "accepted": False}
        better = compared(0.25, 0.5, 0.0625)
        worse = compared(0.75, 0.5, 0.0625) | {"to": digests[1], "rolled_back": True}
        steps: list[tuple[int, int, dict[str, Any]]] = [
            (0, 1, {"proposed": digests[1], "validation": better, "accepted": True}),
            (1, 1, rejected),
            (1, 2, {"proposed": digests[2], "validation": better, "accepted": True}),
            (2, 1, {"looked_back": worse}),
            (1, 3, {"proposed": digests[3], "validation": better, "accepted": True}),
        ]
        for number, (before, after, facts) in enumerate(steps, 1):
            lineage = {"before": digests[before], "after": digests[after], **facts, "studies": []}
            go_on(run, number, context=lineage, versions=(before, after))
        measure(run, len(steps), 8, 0.75)
        checkpoint(run, len(steps), [])
    return place
