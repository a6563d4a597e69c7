"""The main job must learn, not merely finish."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from palaestra.evolution.run import Run


@pytest.mark.slow
def test_a_newborn_policy_learns_to_add(tmp_path: Path) -> None:
    out, run = tmp_path / "result.json", tmp_path / "run"
    command = [str(Path(sys.executable).parent / "palaestra"), "evolve", "--seed", "1", "--steps", "40"]
    subprocess.run(
        [*command, "--run", str(run), "--json", str(out)],
        check=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )
    result = json.loads(out.read_text())
    assert result["before"] <= 0.5
    assert result["interval"][0] >= 0.85
    assert result["after"] >= 0.9
    assert (run / "curve.png").stat().st_size > 10_000
    assert any(not e["right_before"] and e["right_after"] for e in result["examples"])
    lived = Run.open(run, read_only=True)
    learned = [name for row in lived.lineage() for name in row["learned_from"]]
    assert len(learned) == len(set(learned)) == result["episodes_used"]
