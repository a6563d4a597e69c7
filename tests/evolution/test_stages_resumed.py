"""A run of several stages, interrupted in each of them, ends as one that never was."""

from pathlib import Path
from urllib.parse import quote

import pytest
from palaestra.agents.nursery import Plan, born
from palaestra.evolution.evolve import Interrupted, evolve, resume
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.report.live import LiveView
from palaestra.evolution.run import Run
from palaestra.evolution.view import StepRecord
from rich.console import Console
from safetensors.numpy import load_file

ENV = "palaestra/Arithmetic-v0?digits=1"


class Stopping(LiveView):
    """Presses Ctrl-C after a step."""

    def __init__(self, after: int = 0) -> None:
        super().__init__(Console(quiet=True))
        self.after = after

    def stepped(self, record: StepRecord) -> None:
        super().stepped(record)
        if record.step == self.after:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        plan = Plan(solved=0.02, able=0.02, practise_steps=1, settle_steps=20, hidden_size=32, intermediate_size=64)
        place = tmp_path_factory.mktemp("policy")
        born("arithmetic?digits=1", plan=plan).save(place)
    return f"local:{quote(str(place))}"


def facts(directory: Path) -> dict[str, object]:
    run = Run.open(directory, read_only=True)
    (_, checkpoint) = run.latest_checkpoint() or (0, directory)
    return {
        "weights": {name: array.tobytes() for name, array in load_file(checkpoint / "model.safetensors").items()},
        "experience": {shard: run.experience.digest(shard) for shard in run.experience.shards()},
        "lineage": run.lineage(),
        "figures": [{k: v for k, v in row.items() if k != "time" and "seconds" not in k} for row in run.metrics.rows()],
    }


def test_a_run_of_stages_resumes_in_each_of_them(tmp_path: Path, policy: str) -> None:
    settings: dict[str, object] = {
        "steps": 6,
        "checkpoint_every": 2,
        "evaluate_every": 3,
        "evaluate.tasks": 5,
        "acquire.steps": [2, 1, 3],
        "update.steps": [2, 1, 3],
        "acquire.parts.0.tasks": 8,
        "acquire.parts.1.groups": 8,
        "acquire.parts.2.groups": 4,
        "evaluate.sampling.max_tokens": 6,
    }
    recipe, objective = find_recipe("rlhf", settings), Objective("any", (ENV,))

    def begin(directory: Path, view: LiveView) -> None:
        evolve(recipe, objective=objective, policy=policy, seed=0, directory=directory, view=view, settings=settings)

    begin(tmp_path / "whole", Stopping())
    with pytest.raises(Interrupted):
        begin(tmp_path / "stopped", Stopping(after=1))
    for after in (3, 5):
        with pytest.raises(Interrupted):
            resume(tmp_path / "stopped", view=Stopping(after))
    resume(tmp_path / "stopped", view=Stopping())
    whole, stopped = facts(tmp_path / "whole"), facts(tmp_path / "stopped")
    assert [row.get("update/stage") for row in whole["figures"] if "update/stage" in row] == [0, 0, 1, 2, 2, 2]
    assert stopped == whole
