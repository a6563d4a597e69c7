"""Recipes in people's own files."""

import re
from pathlib import Path

import pytest
from killed_runs import ENV, evolve, facts, killed_after
from newborns import save_newborn
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.recipes.own import own_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy of random weights."""
    return save_newborn(tmp_path_factory.mktemp("policy"))


def test_a_recipe_of_the_page_runs_and_resumes_without_its_file(policy: Path, tmp_path: Path, capfd: object) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(EXAMPLE[0])
    small = ["--set", "acquire.groups=6", "--set", "evaluate.tasks=5", "--set", "acquire.sampling.max_tokens=4"]
    evolve(mine, "--policy", f"local:{policy}", "--env", ENV, "--run", tmp_path / "run", *small)
    whole = facts(tmp_path / "run")
    assert "calibration error" in whole[3][0][1]
    killed_after(tmp_path / "run", 1)
    mine.write_text("raise RuntimeError('changed')")
    evolve("--resume", tmp_path / "run")
    assert facts(tmp_path / "run") == whole


def test_a_part_of_ones_own_has_options() -> None:
    text = EXAMPLE[1] + EXAMPLE[0].replace("KeepLength(most=24)", "KeepFirst()")
    recipe = own_recipe(text, "mine.py", {"refine.1.turns": 3})
    assert recipe.refine[1].turns == 3
    with pytest.raises(UnknownNameError, match=r"refine\.1\.turns"):
        own_recipe(text, "mine.py", {"refine.1.turn": 3})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "defines no `recipe`"),
        ("recipe = 3", "gives a int, expected a Recipe"),
        ("import no_such_module_anywhere", "line 1: ModuleNotFoundError"),
        ("def recipe():\n    return 1 / 0", "line 2: ZeroDivisionError"),
        ("def recipe(:", "line 1: invalid syntax"),
        (EXAMPLE[0].replace('"mine"', '"../mine"'), "a name is made of"),
        (EXAMPLE[0].replace("CapPerTask(2)", "KeepLength(3, 2)"), "line 16: KeepLength needs"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(says)) as error:
        find_recipe(str(path))
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        find_recipe("nowhere/mine.py")
