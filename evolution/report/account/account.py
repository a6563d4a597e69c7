"""The account of a run: all that a page tells of it, as sections of JSON, cheap to ask for again while the run goes on.

A section that did not change is the same text as before. Episodes come in blocks: `i0`, `i1`, ... say what they are
found by, and are read when the page opens; `c0`, `c1`, ... hold what was said, and are read when they are looked at.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from palaestra.envs.errors import RunError
from palaestra.evolution.durable import read_json
from palaestra.evolution.report.account.arms import ALONE, arm_names, arms
from palaestra.evolution.report.account.comparing import Comparison, comparison_of
from palaestra.evolution.report.account.contexts import Told
from palaestra.evolution.report.account.costs import costs
from palaestra.evolution.report.account.curves import evaluation_rows, measured, positions, step_curves
from palaestra.evolution.report.account.encode import FACTS
from palaestra.evolution.report.account.excerpt import HeldOutSide, Training, Unit
from palaestra.evolution.report.account.lineage import Lineage
from palaestra.evolution.report.account.phases import phases
from palaestra.evolution.report.account.pieces import Spell, specials_of, speller_of
from palaestra.evolution.report.account.pool import pool_of
from palaestra.evolution.report.account.statuses import status_shares
from palaestra.evolution.report.account.tables import league, transferred
from palaestra.evolution.report.account.transitions import transitions
from palaestra.evolution.report.page import compact_json
from palaestra.evolution.run import Run

__all__ = ["EPISODE_BYTES", "Account", "refuse_tournament"]

EPISODE_BYTES = 4_000_000
"""Most bytes of episodes in a page: what else there is takes less than the rest of 5 MB."""

_BLOCK_BYTES = 64_000
_HELD_OUT_SHARE = 0.25
# Beside the episodes: versions of what an agent is told take so much of what they take.
_TOLD_SHARE = 0.1


class Account:
    """What a page tells of one run.

    Args:
        directory: Where the run lies; it is only read, and may be at work, killed or resumed meanwhile.
        episode_bytes: Most bytes of its episodes.
    """

    def __init__(self, directory: Path, episode_bytes: int = EPISODE_BYTES) -> None:
        self.directory = directory
        self._bytes = episode_bytes
        self._begin()

    def _begin(self) -> None:
        self._born = ""
        self._lineage = Lineage()
        self._training = Training(int(self._bytes * (1 - _HELD_OUT_SHARE)))
        self._contexts = Told(int(self._bytes * _TOLD_SHARE))
        self._read: dict[str, bool] = {}
        self._sides: dict[str, HeldOutSide] = {}
        self._blocks: dict[tuple[Unit, ...], tuple[str, str]] = {}
        self._spell: Spell | None = None

    def sections(self) -> dict[str, str]:
        """Return all sections as JSON texts.

        Raises:
            RunError: If there is no run, or it is damaged.
        """
        with Run.open(self.directory, read_only=True) as run:
            born = json.dumps(run.about, sort_keys=True)
            if self._born and born != self._born:
                self._begin()  # Another run was begun in the same place.
            self._born = born
            self._lineage.read_on(run)
            comparison = comparison_of(run.config.get("parts", {}).get("update") or {})
            spell = self._speller(run)
            self._read_training(run, spell, comparison)
            sides = self._read_held_out(run, spell)
            return self._told(run, sides, comparison)

    def _speller(self, run: Run) -> Spell:
        if not run.checkpoints():
            return speller_of(run)  # There may be one next time.
        self._spell = self._spell or speller_of(run)
        return self._spell

    def _read_training(self, run: Run, spell: Spell, comparison: Comparison) -> None:
        shards = run.experience.shards()
        known = {shard: self._step(run, shard) in self._lineage.steps for shard in shards}
        if any(known.get(shard, False) and not learned for shard, learned in self._read.items()):
            # What was read before anybody had learned from it is read again.
            self._training, self._read = Training(self._training.budget), {}
        at_work = not run.finished and run.worker is not None
        for shard in shards:
            if shard in self._read or (at_work and not known[shard]):
                continue
            step = self._step(run, shard)
            learned = self._lineage.learned(run, step)
            self._training.add(run.experience, shard, step, learned, spell, comparison)
            self._read[shard] = known[shard]

    def _read_held_out(self, run: Run, spell: Spell) -> list[HeldOutSide]:
        shards = run.evaluations.shards()
        wanted = list(dict.fromkeys([*shards[:1], *shards[-1:]]))
        budget = int(self._bytes * _HELD_OUT_SHARE / 2)
        for shard in wanted:
            if shard not in self._sides:
                step = self._step(run, shard, evaluation=True)
                self._sides[shard] = HeldOutSide.read(run.evaluations, shard, step, spell, budget)
        self._sides = {shard: self._sides[shard] for shard in wanted}
        return list(self._sides.values())

    def _step(self, run: Run, shard: str, *, evaluation: bool = False) -> int:
        digits = shard.rpartition("-")[2]
        if digits.isdigit():
            return int(digits)
        store = run.evaluations if evaluation else run.experience
        return int(store.lineage(shard).get("step", 0))

    def _told(self, run: Run, sides: Sequence[HeldOutSide], comparison: Comparison) -> dict[str, str]:
        rows, state, result = run.metrics.rows(), _state(run), run.result
        history: list[Any] = (result or {}).get("evaluations") or state.get("history") or []
        measures = {score["env"]: score["measure"] for one in history for score in one["scores"]}
        every = max([side.every for side in sides], default=1)
        units = [unit for side in sides for unit in side.units(every)] + self._training.units
        evaluations = evaluation_rows(rows)
        accuracy = {row["step"]: row.get("accuracy") for row in next(iter(evaluations.values()), [])}
        about, names = _about(run, rows, state, result), arm_names(run.config.get("parts", {}))
        steps = self._lineage.steps
        told: dict[str, Any] = {
            "about": about,
            "measured": measured(rows, measures),
            "history": _scores(history),
            "steps": step_curves(rows),
            "positions": positions(rows),
            "arms": {"names": names, "alone": ALONE, "found": arms(rows, names)},
            "pool": pool_of(_latest(run)),
            "contexts": self._contexts.told([steps[step] for step in sorted(steps)], run.contexts),
            "statuses": status_shares(self._training.statuses),
            "transitions": transitions(sides[0].outcomes, sides[1].outcomes, names) if len(sides) > 1 else [],
            "transfer": transferred(history),
            "league": league(_latest(run)),
            "lineage": self._lineage.drawn(run.checkpoints(), accuracy),
            "costs": costs(rows, _evaluation_seconds(run), _birth(state, result), run.config["policy"]),
            "excerpt": {
                "training": {
                    "episodes": self._training.episodes,
                    "kept": sum(len(unit.facts) for unit in self._training.units),
                    "every": self._training.every,
                    "cut": self._training.cut,
                },
                "held_out": [
                    {"step": side.step, "tasks": len(side.outcomes.ids), "kept": len(side.units(every)), "every": every}
                    for side in sides
                ],
                "evaluations": len(run.evaluations.shards()),
                "specials": specials_of(run),
                "advantage": comparison.words,
            },
        }
        return {name: compact_json(value) for name, value in told.items()} | self._episodes(units)

    def _episodes(self, units: Sequence[Unit]) -> dict[str, str]:
        """Return the blocks of episodes; those that stand as they stood are not written again."""
        before, self._blocks = self._blocks, {}
        told: dict[str, str] = {}
        for number, block in enumerate(_blocks(units)):
            known = before.get(block)
            self._blocks[block] = known or (_columns(block), f"[{','.join(unit.content for unit in block)}]")
            told[f"i{number}"], told[f"c{number}"] = self._blocks[block]
        return told


def _state(run: Run) -> dict[str, Any]:
    """Return what the loop remembered at the latest checkpoint."""
    latest = _latest(run)
    path = None if latest is None else latest / "loop.json"
    try:
        return read_json(path) if path is not None and path.exists() else {}
    except FileNotFoundError:  # The run has just put a newer one in its place.
        return {}


def _latest(run: Run) -> Path | None:
    latest = run.latest_checkpoint()
    return None if latest is None else latest[1]


def _birth(state: Mapping[str, Any], result: Mapping[str, Any] | None) -> float:
    return float((result or state).get("birth_seconds") or 0.0)


def _evaluation_seconds(run: Run) -> float:
    return sum(float(run.evaluations.lineage(shard).get("seconds") or 0.0) for shard in run.evaluations.shards())


def _scores(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first and the last evaluation as they were recorded, statuses and pass@k included."""
    return [dict(history[0]), dict(history[-1])] if len(history) > 1 else [dict(one) for one in history]


def _about(
    run: Run, rows: Sequence[Mapping[str, Any]], state: Mapping[str, Any], result: Mapping[str, Any] | None
) -> dict[str, Any]:
    config, parts = run.config, run.config.get("parts", {})
    done = max((int(row["step"]) for row in rows if row["phase"] == "train"), default=0)
    # Of a run that another command began, such as a miniature's, the one that makes it by itself.
    command, worker = config.get("command") or run.about.get("command") or [], run.worker
    status = "finished" if run.finished else "at work" if worker is not None else "stopped"
    told = ("policy", "seed", "settings", "staleness", "engine", "executor", "auditor", "objective", "task_sets")
    return {
        "name": run.directory.name,
        "directory": str(run.directory),
        "status": status,
        "step": done,
        "steps": parts.get("steps"),
        "recipe": config.get("recipe", ""),
        "created": run.about.get("created"),
        "command": [Path(word).name if n == 0 else word for n, word in enumerate(command)],
        "commit": run.about.get("commit"),
        "machine": run.about.get("machine") or {},
        "packages": run.about.get("packages") or {},
        "phases": phases(parts),
        "seconds": (result or state).get("seconds"),
        **{name: config.get(name) for name in told},
    }


def _blocks(units: Sequence[Unit]) -> list[tuple[Unit, ...]]:
    """Divide units into blocks; as units are added at the end, only the last block changes."""
    blocks: list[list[Unit]] = []
    size = 0
    for unit in units:
        if not blocks or size + unit.size > _BLOCK_BYTES:
            blocks.append([])
            size = 0
        blocks[-1].append(unit)
        size += unit.size
    return [tuple(block) for block in blocks]


def _columns(units: Sequence[Unit]) -> str:
    """Return what the episodes of a block are found by: texts once, then a column a fact, texts by their place."""
    texts: dict[str, int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in ("unit", "shard", "step", "held_out", *FACTS)}
    for index, unit in enumerate(units):
        for fact in unit.facts:
            found = fact._asdict() | {"unit": index, "shard": unit.shard, "step": unit.step, "held_out": unit.held_out}
            for name, value in found.items():
                if isinstance(value, str):
                    value = texts.setdefault(value, len(texts))
                columns[name].append(int(value) if isinstance(value, bool) else value)
    return compact_json({"texts": list(texts), **columns})


def refuse_tournament(directory: Path) -> None:
    """Raise `RunError` if a directory holds a tournament, which has a page of its own."""
    if (directory / "tournament.json").exists():
        raise RunError(
            f"{directory} is a tournament; its page is made by `palaestra tournament --resume {directory} --page FILE`."
        )
