"""The recipe for crawlers, what is measured of them, and the command that judges them from files."""

import json
from pathlib import Path

import pytest
from palaestra.agents.crawler import CrawlerAgent
from palaestra.agents.rollout import Rollout
from palaestra.agents.scripted import OracleAgent
from palaestra.envs import make
from palaestra.evolution.cli import main
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.refinement.filters import KeepCorrect
from palaestra.evolution.yard import Yard

SPEC = "crawl?size=120&seed=3"
PLAIN = f"{SPEC}&tries=1&seeds=1"


def test_how_crawlers_end_is_measured() -> None:
    measured = HeldOut(also=("execution",))
    yard = Yard(Rollout(CrawlerAgent(), workers=4), 0)
    told, plain = (measured.play(yard, spec, 0).figures for spec in (SPEC, PLAIN))
    assert sum(told.values()) == sum(plain.values()) == pytest.approx(1.0)
    assert told["executed correct"] > 0.6
    assert plain["executed correct"] < 0.2
    assert plain["executed recall"] > plain["executed precision"]
    assert measured.play(Yard(Rollout(OracleAgent()), 0), SPEC, 0).figures["executed correct"] == 1.0
    assert measured.play(Yard(Rollout(OracleAgent()), 0), "arithmetic?size=50", 0).figures == {}


def test_a_reply_without_a_program_is_no_execution() -> None:
    from palaestra.agents.scripted import ConstantAgent

    yard = Yard(Rollout(ConstantAgent("I do not know.")), 0)
    figures = HeldOut(also=("execution",)).play(yard, PLAIN, 0).figures
    assert figures["executed un-executable"] == 1.0


def test_the_recipe_learns_from_crawlers_that_work_and_measures_both_ways() -> None:
    recipe = find_recipe("autocrawler", {"acquire.groups": 4})
    yard = Yard(Rollout(CrawlerAgent(), workers=4), 0)
    episodes = recipe.acquire(yard, SPEC, 1)
    kept = recipe.refine[0](episodes)
    assert isinstance(recipe.refine[0], KeepCorrect)
    assert 0 < len(kept) < len(episodes) or all(episode.correct for episode in episodes)
    # What is learned from is the whole conversation: several pages, and what was told in between.
    assert all(len(episode.turns) >= 3 for episode in kept)


def test_graphs_and_crawlers_are_judged_from_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows, replies = [], []
    for spec in ("graph?size=3&nodes=6", "crawl?size=2&level=1&seeds=1"):
        env = make(spec)
        for number, task in enumerate(env.tasks):
            solution = env.solution(task)
            assert solution is not None
            name = f"{spec[:5]}-{number}"
            rows.append({"task_id": name, "prompt": task.prompt, "reference": task.reference})
            replies += [(name, solution[0], "correct"), (name, "I do not know.", "unparsed")]
    tasks, given, out = tmp_path / "tasks.jsonl", tmp_path / "replies.jsonl", tmp_path / "out.jsonl"
    tasks.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given.write_text("".join(json.dumps({"task_id": n, "completion": text}) + "\n" for n, text, _ in replies))
    with pytest.raises(SystemExit) as end:
        main(["judge", "--tasks", str(tasks), "--replies", str(given), "--json", str(out), "--workers", "1"])
    said = capfd.readouterr()
    assert end.value.code in (0, None), said
    verdicts = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["status"] for row in verdicts] == [status for _, _, status in replies]
