"""Program repair with traces, and what is left of it without them."""

from pathlib import Path

from newborns import save_newborn
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent

TRACED, PLAIN = "palaestra/Mend-v0?trace=on&size=400", "palaestra/Mend-v0?trace=off&size=400"
SMALL = {
    "acquire.groups": 2,
    "acquire.attempts": 4,
    "acquire.sampling.max_tokens": 24,
    "evaluate.tasks": 6,
    "evaluate.sampling.max_tokens": 24,
    "steps": 2,
}


def test_the_same_held_out_tasks_with_and_without_a_trace(tmp_path: Path) -> None:
    save_newborn(tmp_path / "policy", width=32)
    result = evolve(
        find_recipe("next", SMALL),
        objective=Objective("repair", ladder=(TRACED,), watched=(PLAIN,)),
        policy=f"local:{tmp_path / 'policy'}",
        seed=0,
        directory=tmp_path / "run",
        view=Silent(),
        settings=SMALL,
    )
    run = Run.open(tmp_path / "run", read_only=True)
    episodes = run.evaluations.read("step-000000")
    played = {spec: [e for e in episodes if e.env == spec] for spec in (TRACED, PLAIN)}
    assert [len(some) for some in played.values()] == [6, 6]
    for spec, some in played.items():
        assert all(("# (0)" in e.turns[0].observation) == (spec == TRACED) for e in some)
    assert [score.env for score in result.after.scores] == [TRACED, PLAIN]
    assert run.experience.read("step-000001")[0].turns[0].observation.startswith("def f(x):  # (0) x=")
