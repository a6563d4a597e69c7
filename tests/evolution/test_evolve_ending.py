"""What `palaestra evolve` suggests when a run has ended."""

import io
import shlex
from pathlib import Path
from typing import Any

import pytest
from palaestra.agents.policy import Sampling
from palaestra.evolution.cli.evolve import _show
from palaestra.evolution.evaluation.growing import Growing
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evaluation.record import Evaluation, Score
from palaestra.evolution.evaluation.statistics import wilson
from palaestra.evolution.recipe import describe
from palaestra.evolution.result import Result
from palaestra.evolution.run import Run
from rich.console import Console
from told_runs import ENV, PARTS, config


def suggested(place: Path, evaluate: Any) -> list[str]:
    """Return the words of the command that shall measure further, after the policy."""
    Run.create(place, config() | {"parts": PARTS | {"evaluate": describe(evaluate)}}).close()
    score = Score(ENV, 8, wilson(4, 8), {}, 0.5, {"correct": 4}, 0, 30, 1.0)
    before, after = (Evaluation(step, step, (score,)) for step in (0, 6))
    result = Result("grpo", 0, ENV, before, after, (before, after), 8, 8, 0, 6, 1.0, 0.0, (), place)
    console = Console(file=io.StringIO(), width=400, color_system=None)
    _show(console, result)
    (line,) = [line for line in console.file.getvalue().splitlines() if line.startswith("measure further")]  # type: ignore[attr-defined]
    words = shlex.split(line)[2:]
    assert words[:4] == ["palaestra", "bench", ENV, "--policy"]
    return words[5:]


@pytest.mark.parametrize(
    ("evaluate", "words"),
    [
        (HeldOut(), []),
        (HeldOut(sampling=Sampling(max_tokens=512)), ["--max-tokens", "512"]),
        (HeldOut(sampling=Sampling(max_tokens=512, temperature=0.7)), ["--max-tokens", "512", "--temperature", "0.7"]),
        (HeldOut(sampling=Sampling(temperature=0.0)), []),
        (Growing(HeldOut(sampling=Sampling(max_tokens=256))), ["--max-tokens", "256"]),
    ],
)
def test_the_bench_that_is_suggested_samples_as_the_run_did(tmp_path: Path, evaluate: Any, words: list[str]) -> None:
    assert suggested(tmp_path / "run", evaluate) == ["--attempts", "8", *words]
