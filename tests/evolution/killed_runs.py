"""Runs of the command that are taken back to where a kill would have left them."""

import shutil
from pathlib import Path

import pytest
from palaestra.evolution.cli import main
from palaestra.evolution.run import Run

ENV = "palaestra/Arithmetic-v0?digits=1&worked=true"


def evolve(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main(["evolve", *(str(argument) for argument in arguments)])
    assert not end.value.code


def facts(directory: Path) -> tuple[object, ...]:
    run = Run.open(directory, read_only=True)
    shards = {shard: run.experience.digest(shard) for shard in run.experience.shards()}
    evaluations = {shard: run.evaluations.digest(shard) for shard in run.evaluations.shards()}
    evaluated = [(e["step"], e["scores"][0]["figures"]) for e in run.result["evaluations"]]
    figures = [{k: v for k, v in row.items() if k != "time" and "seconds" not in k} for row in run.metrics.rows()]
    return shards, evaluations, run.lineage(), evaluated, figures


def killed_after(directory: Path, step: int) -> None:
    """Take a finished run back to where a kill would have left it."""
    (directory / "result.json").unlink()
    for folder in ("checkpoints", "experience", "evaluations"):
        for path in (directory / folder).glob("step-*"):
            # Of the next step the experience is there, its update is not.
            if int(path.stem[5:]) > step + (folder == "experience"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
