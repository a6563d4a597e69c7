"""The examples of the page on environments run as they stand."""

import re
from pathlib import Path

import gymnasium
import palaestra.envs
from palaestra.envs.catalogue import cards, worlds
from palaestra.envs.sources import load_tasks

PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_first_example_runs() -> None:
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    assert str(names["question"]).endswith("= ?")


def test_a_world_of_your_own_is_thirty_lines_and_passes_the_checks() -> None:
    code = blocks("python")[1]
    assert len(code.splitlines()) <= 30
    try:
        exec(code, {"__name__": "page"})
        env = palaestra.envs.make("mine/Backwards-v0?letters=7")
        task = env.tasks[0]
        assert env.reset(options={"task": task})[0] == f"Write {task.reference[::-1]} backwards."  # type: ignore[index]
        assert env.step(str(task.reference))[1] == 1.0
    finally:
        gymnasium.registry.pop("mine/Backwards-v0", None)


def test_the_task_file_loads(tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text(blocks("jsonl")[0])
    assert [task.reference for task in load_tasks(file).tasks] == [5, "7"]


def test_the_table_lists_every_world_and_its_own_settings() -> None:
    rows = {row.split("`")[1]: row for row in PAGE.splitlines() if row.startswith("| `palaestra/")}
    assert set(rows) == {entry.id for entry in worlds()}
    for card in cards():
        if not card.id.startswith(
            ("palaestra/FrozenLake", "palaestra/Taxi", "palaestra/Blackjack", "palaestra/CartPole")
        ):
            assert all(f"`{name}`" in rows[card.id] for name in card.parameters.split(", ")), card.id
