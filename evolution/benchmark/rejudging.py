"""Judge the stored replies of a result again, with the judges of today; the old result stays as it is.

The world of a cell is reset to the task as it was asked and to the episode's seed, and is given the recorded actions. A
world that then says something else than it said is no longer the one that was answered, so its reply cannot be judged:
the episode keeps its old verdict and is counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from palaestra.agents.crew import Crew
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.rollout import STEP_SECONDS
from palaestra.envs import catalogue
from palaestra.envs.errors import PalaestraError, UsageError
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.benchmark.identity import task_key, world_identity
from palaestra.evolution.benchmark.measuring import conclude
from palaestra.evolution.benchmark.result import ResultFolder, write_tasks
from palaestra.evolution.benchmark.suite import Course
from palaestra.evolution.benchmark.summary import summarise_cell
from palaestra.evolution.durable import dump_json, replacing, write_json
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.provenance import commit

__all__ = ["Change", "Rejudged", "rejudge"]

_SHOWN = 10
# What a cell says of how it was played; the rest follows from verdicts.
_WAYS_OF_THE_CELL = ("policy", "env", "shard", "keys", "sampling", "cost")


@dataclass(frozen=True)
class Change:
    """A verdict that is another one today.

    Attributes:
        episode: Id in the result.
        reply: What was judged, the last of the episode.
        before: Old verdict.
        after: New one.
    """

    episode: str
    reply: str
    before: Verdict
    after: Verdict

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        verdicts = {"before": self.before, "after": self.after}
        return {"episode": self.episode, "reply": self.reply} | {
            when: {"status": str(v.status), "reward": v.reward, "detail": v.detail} for when, v in verdicts.items()
        }


@dataclass
class Rejudged:
    """What came of it.

    Attributes:
        source: The old result.
        place: The new one.
        judged: How many replies were judged again.
        changes: Verdicts of another status or reward.
        kept: How many episodes keep their old verdict, by reason.
    """

    source: Path
    place: Path
    judged: int = 0
    changes: list[Change] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)

    @property
    def ways(self) -> Counter[str]:
        """How many verdicts changed from what to what."""
        return Counter(f"{change.before.status} to {change.after.status}" for change in self.changes)

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "source": str(self.source),
            "result": str(self.place),
            "judged": self.judged,
            "changed": len(self.changes),
            "ways": dict(self.ways.most_common()),
            "not_judged": dict(self.kept),
        }

    def lines(self) -> list[str]:
        """Return what a person should know, a line each."""
        lines = [f"{self.source}: {self.judged:,} replies judged again, {len(self.changes):,} verdicts changed"]
        lines += [f"  {count:,} {way}" for way, count in self.ways.most_common()]
        for change in self.changes[:_SHOWN]:
            lines.append(f"  {change.episode}: {_words(change.before)} → {_words(change.after)}")
        if len(self.changes) > _SHOWN:
            lines.append(f"  and {len(self.changes) - _SHOWN:,} more, see changes.jsonl")
        lines += [f"  not judged, old verdict kept: {count:,}, {reason}" for reason, count in self.kept.items()]
        return [*lines, f"result   {self.place}"]


def _words(verdict: Verdict) -> str:
    return f"{verdict.status} {verdict.reward:g}" + (f" ({verdict.detail[:80]})" if verdict.detail else "")


def rejudge(source: Path, place: Path, tell: Callable[[str], None] = lambda _: None) -> Rejudged:
    """Judge a result's replies again and write what comes of it as a result of its own.

    Args:
        source: The old result; nothing in it changes.
        place: The folder of the new one, a place that is free. `changes.jsonl` in it lists what changed.
        tell: Called with what is being done.

    Raises:
        RunError: If there is no result.
        UsageError: If the place is taken, or an environment of the result is not there any more.
    """
    old = ResultFolder.open(source)
    if place.exists():
        raise UsageError(f"{place} is taken: a judgement is written to a place of its own. Name one that is free.")
    report = Rejudged(old.directory, place)
    worlds = {env["name"]: catalogue.make(env["spec"]) for env in old.about["environments"]}
    tasks = {env: old.tasks(env) for env in worlds}
    cells = []
    with replacing(place) as folder:
        folder.mkdir()
        store = ExperienceStore(folder / "episodes")
        for cell in old.about["cells"]:
            if not cell.get("shard"):
                cells.append(cell)
                continue
            tell(f"{cell['policy']} in {cell['env']}")
            world, of_env = worlds[cell["env"]], tasks[cell["env"]]
            judged = _judge_all(world, old.episodes(cell), of_env, report)
            store.write(cell["shard"], judged, {"rejudged": str(old.directory), "cell": cell["shard"]})
            course = _course(old.about, cell["env"])
            kept = {key: cell[key] for key in _WAYS_OF_THE_CELL}
            mine = [of_env[name] for name in dict.fromkeys(episode.task for episode in judged)]
            cells.append({**kept, **summarise_cell(course, mine, list(map(task_key, mine)), world, judged)})
        write_tasks(folder, {env: tuple(of_env.values()) for env, of_env in tasks.items()})
        with (folder / "changes.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(dump_json(change.as_json()) + "\n" for change in report.changes)
        envs = [
            env | {"identity": world_identity(env["spec"], worlds[env["name"]])} for env in old.about["environments"]
        ]
        about = old.about | {"environments": envs, "commit": commit(), "rejudged": _origin(old, report)}
        write_json(folder / "result.json", conclude(about, cells))
    return report


def _origin(old: ResultFolder, report: Rejudged) -> dict[str, Any]:
    return report.as_json() | {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit_before": old.about["commit"],
        "identities_before": {env["name"]: env["identity"] for env in old.about["environments"]},
        "before": old.about.get("rejudged"),
    }


def _course(about: Mapping[str, Any], env: str) -> Course:
    (course,) = [one for one in about["suite"]["courses"] if one["name"] == env]
    sequences = {key: tuple(course[key]) for key in ("ids", "seeds", "tags")}
    return Course(**(course | sequences))


def _judge_all(world: TextEnv, episodes: list[Episode], tasks: Mapping[str, Task], report: Rejudged) -> list[Episode]:
    judged = []
    with Crew(1, STEP_SECONDS) as crew:
        for episode in episodes:
            found = _judged(world, episode, tasks[episode.task], crew)
            if isinstance(found, str):
                report.kept[found] += 1
                judged.append(episode)
                continue
            report.judged += 1
            before, after = episode.verdict, found.verdict
            if (before.status, episode.reward) != (after.status, found.reward):
                reply = episode.turns[-1].reply if episode.turns else ""
                shown = replace(before, reward=episode.reward), replace(after, reward=found.reward)
                report.changes.append(Change(episode.id, reply, *shown))
            judged.append(found)
    return judged


def _judged(world: TextEnv, episode: Episode, task: Task, crew: Crew) -> Episode | str:
    """Return the episode as it is judged now, or why it cannot be."""
    if not episode.turns or episode.verdict.status is Status.INFRASTRUCTURE:
        return "the episode broke before there was a whole reply"
    try:
        found: Episode | str = crew.submit(lambda: _lived_again(world, episode, task), episode.id).result()
    except PalaestraError as error:
        return f"the world failed: {type(error).__name__}"
    except Exception as error:  # somebody else's world may fail in any way
        return f"the world raised {type(error).__name__}"
    return found


def _lived_again(world: TextEnv, episode: Episode, task: Task) -> Episode | str:
    observation, _ = world.reset(seed=episode.seed, options={"task": task})
    verdict: Verdict | None = None
    turns: list[Turn] = []
    ended = False
    for turn in episode.turns:
        if ended:
            return "the world ends earlier now"
        if turn.observation != observation:
            return "the world says something else now"
        observation, reward, terminated, truncated, info = world.step(turn.action)
        verdict = info.get("verdict", verdict)
        ended = bool(terminated or truncated)
        turns.append(replace(turn, reward=float(reward), verdict=info.get("verdict")))
    if not ended and not episode.truncated:
        return "the world would go on now"
    if verdict is None:
        verdict = Verdict(sum(turn.reward for turn in turns), Status.PARTIAL, "the world gave no verdict")
    if verdict.status is Status.INFRASTRUCTURE:
        return "the judge failed"
    return replace(episode, turns=tuple(turns), verdict=verdict)
