"""Whether a run learned from what a suite asks."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.envs.sources import load_tasks
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.benchmark.contamination import look
from palaestra.evolution.benchmark.suite_file import read_suite
from palaestra.evolution.cli import main
from palaestra.evolution.run import Run

LONG = "A farmer near {place} keeps {n} hens and {m} goats in one yard and asks how many legs all of them have together"


def write(folder: Path, name: str, rows: list[tuple[str, int]]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"prompt": p, "answer": a}) + "\n" for p, a in rows))
    return path


@pytest.fixture
def suite(tmp_path: Path):
    """A suite of every task of a file, whichever split it falls in."""
    rows = [(LONG.format(place=place, n=n, m=n + 1), 6 * n + 4) for n, place in enumerate(PLACES, 10)]
    path = write(tmp_path, "tasks.jsonl", [*rows, ("7 + 8 = ?", 15)])
    tasks, _ = load_tasks(path)
    ids = json.dumps([task.id for task in tasks if not task.held_out(0.1)])
    text = f'[[environments]]\nname = "farm"\nspec = "Question?path={path}"\nsplit = "train"\nids = {ids}\n'
    (tmp_path / "s.toml").write_text(text)
    return read_suite(tmp_path / "s.toml")


PLACES = ("Ghent", "Bruges", "Ypres", "Namur", "Mons", "Liege")


def trained(folder: Path, tasks: list[Task], *, learned: bool = True) -> Path:
    """A run that acquired episodes of some tasks, and learned from them."""
    episodes = lived(tasks)
    with Run.create(folder, {}) as run:
        run.experience.write("step-000001", episodes, {})
        if learned:
            run.record_lineage(1, {"learned_from": [episode.id for episode in episodes]})
    return folder


def lived(tasks: list[Task]) -> list[Episode]:
    verdict = Verdict(1.0, Status.CORRECT)
    return [
        Episode(
            f"e{n}", "q", t.id, t.fingerprint, "g", 0, 0, "p", (Turn(t.prompt, "I say 3", "3", 1.0, verdict),), verdict
        )
        for n, t in enumerate(tasks)
    ]


def found(suite, run: Path) -> dict[str, int]:
    (one,) = look(suite, [run]).fields
    return {kind: len(of_kind) for kind, of_kind in one.found.items() if of_kind}


def sum_of(place: str, n: int, m: int) -> str:
    return LONG.format(place=place, n=n, m=m)


def test_nothing_in_common_is_nothing(suite, tmp_path: Path) -> None:
    assert found(suite, trained(tmp_path / "run", [Task("x", "How far is the moon from here, in miles?", 1)])) == {}
    # Sums are all alike by their words, so short tasks are never called near.
    assert found(suite, trained(tmp_path / "sums", [Task("x", "7 + 9 = ?", 16)])) == {}


def test_the_same_task_under_another_name(suite, tmp_path: Path) -> None:
    task = Task("renamed", "7 + 8 = ?", 15)
    # Whether the file's only sum falls into the split depends on its content alone.
    expected = {} if task.held_out(0.1) else {"exact": 1}
    same = look(suite, [trained(tmp_path / "run", [Task("renamed", sum_of("Ghent", 10, 11), 64), task])])
    of_ghent = not Task("", sum_of("Ghent", 10, 11), 64).held_out(0.1)
    assert same.overlaps == of_ghent + len(expected)
    assert of_ghent or expected


def test_the_same_words_with_another_reference_or_another_look(suite, tmp_path: Path) -> None:
    loud = sum_of("Bruges", 11, 12).upper().replace(" ", "  ") + "?!"
    assert found(suite, trained(tmp_path / "run", [Task("x", loud, 0)])).get("text") == 1


def test_nearly_the_same_words_and_numbers_within_a_longer_text(suite, tmp_path: Path) -> None:
    within = f"Here is a riddle from a book. {sum_of('Ypres', 12, 13)}. Answer it in one line and say why, please."
    assert found(suite, trained(tmp_path / "within", [Task("x", within, 0)])).get("near") == 1
    changed = sum_of("Ypres", 12, 13).replace("asks how many", "wonders how many")
    assert found(suite, trained(tmp_path / "changed", [Task("x", changed, 0)])).get("near") == 1


def test_one_template_with_other_numbers_is_no_overlap(suite, tmp_path: Path) -> None:
    run = trained(tmp_path / "run", [Task("x", sum_of("Ghent", 70, 81), 0)])
    kinds = found(suite, run)
    assert set(kinds) == {"template"}
    assert look(suite, [run]).overlaps == 0


def test_what_was_played_and_not_learned_from_does_not_count(suite, tmp_path: Path) -> None:
    from palaestra.envs.errors import RunError

    with pytest.raises(RunError, match="has learned from nothing yet"):
        look(suite, [trained(tmp_path / "run", [Task("x", sum_of("Mons", 14, 15), 88)], learned=False)])


def test_what_a_context_was_chosen_by_counts_too(suite, tmp_path: Path) -> None:
    (tried,) = lived([Task("t", sum_of("Ypres", 12, 13), 0)])
    with Run.create(tmp_path / "run", {}) as run:
        run.studies.write("step-000001.0", [tried], {})
        run.studies.write("step-000009.0", [replace(tried, id="e9")], {})  # of a step that was cut back
        run.record_lineage(1, {"learned_from": [], "context": {"studies": ["step-000001.0"]}})
    assert found(suite, tmp_path / "run")["text"] == 1
    assert look(suite, [tmp_path / "run"]).episodes == 1


@pytest.mark.parametrize("overlaps", [True, False])
def test_the_exit_code_says_it(suite, tmp_path: Path, capfd: pytest.CaptureFixture[str], overlaps: bool) -> None:
    prompt = sum_of("Bruges", 11, 12) if overlaps else "Nothing of the kind"
    run = trained(tmp_path / "run", [Task("x", prompt, 0)])
    file = tmp_path / "found.json"
    with pytest.raises(SystemExit) as end:
        main(["bench", suite.source, "--against", str(run), "--json", str(file)])
    out = " ".join(capfd.readouterr().out.split())
    assert (end.value.code or 0) == (3 if overlaps else 0)
    report = json.loads(file.read_text())
    assert report["overlaps"] == int(overlaps)
    assert ("1 tasks of the suite were learned from" in out) == overlaps
    if overlaps:
        (example, *_) = report["environments"][0]["examples"]
        assert (example["kind"], example["prompt"], example["where"]) == ("text", prompt, f"{run}: e0")
