"""What a page tells of ways of answering and of versions of a context, from what the real parts recorded."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.evolution.evaluation.statistics import wilson
from palaestra.evolution.learner import save_spelling
from palaestra.evolution.report.account.account import Account
from palaestra.evolution.report.account.arms import arm_names, arms
from palaestra.evolution.report.account.contexts import Told, context_facts, versions_of
from palaestra.evolution.report.account.pieces import specials_of, speller_of
from palaestra.evolution.report.account.pool import pool_of
from palaestra.evolution.run import Run
from palaestra.evolution.updating.in_context.pool import Candidate, Pool
from telling_runs import ENV, REVIEWED, answering_run, compared, telling_run
from told_runs import PARTS


def read(place: Path, name: str) -> Any:
    return json.loads(Account(place).sections()[name])


def test_ways_of_answering_are_told_round_by_round(tmp_path: Path) -> None:
    sections = {name: json.loads(text) for name, text in Account(answering_run(tmp_path / "run")).sections().items()}
    told = sections["arms"]
    assert told["names"] == ["review", "again"]
    (found,) = told["found"]
    assert (found["env"], found["step"]) == (ENV, 1)
    assert found["alone"]["rounds"] == [[0.5, *[pytest.approx(b) for b in (wilson(4, 8).low, wilson(4, 8).high)]]]
    review, again = found["arms"]
    assert (review["name"], again["name"]) == ("review", "again")
    # A draft that stood stands in the rounds after it.
    stood = [course.ljust(3, course[-1]) for course in REVIEWED]
    assert [share[0] for share in review["rounds"]] == [sum(c[n] == "1" for c in stood) / 8 for n in range(3)]
    assert all(share[1] < share[0] < share[2] for share in review["rounds"])
    # right to right, right to wrong, wrong to right, wrong to wrong, from the first draft to the last
    changes = [course[0] + course[-1] for course in REVIEWED]
    assert review["transitions"] == [changes.count(kind) / 8 for kind in ("11", "10", "01", "00")]
    assert sum(again["transitions"]) == 1
    assert review["gain"][0] == review["rounds"][2][0] - review["rounds"][0][0]
    assert review["replies"] == sum(map(len, REVIEWED)) / 8
    assert again["tokens"] > found["alone"]["tokens"]
    assert (review["votes"], review["within"]) == ([], [])

    # The other sections are about the environment, and the way that the recipe is about.
    assert [one["env"] for one in sections["measured"]] == [ENV, f"{ENV} with again"]
    assert all(one["figures"] == [] for one in sections["measured"]), "rounds are no curves over steps"
    (moved,) = sections["transitions"]
    assert [moved[kind] for kind in ("right_right", "right_wrong", "wrong_right", "wrong_wrong")] == [2, 2, 2, 2]
    assert (moved["pairs"], moved["tasks"]) == (8, 8)


def test_a_vote_is_told_by_members_and_within_the_tokens_of_another() -> None:
    within = "within tokens of debate"
    votes = {"majority@1": 0.5, "majority@1 low": 0.25, "majority@4": 0.75}
    figures = {"round 0": 0.75, "replies": 4.0, **votes, within: 0.7}
    rows = [
        {"step": 0, "phase": "evaluate/a with b", "round 0": 0.5, "replies": 1.0},
        {"step": 2, "phase": "evaluate/a with b", "round 0": 0.25, "replies": 2.0, "right to right": 1.0},
        {"step": 2, "phase": "evaluate/a with b with vote", **figures},
        {"step": 2, "phase": "evaluate/watched", "accuracy": 0.5},
    ]
    (found,) = arms(rows, ["debate", "vote"])
    assert found["env"] == "a with b", "what the environment is called is its own affair"
    debate, vote = found["arms"]
    assert debate["rounds"] == [[0.25, None, None]]
    assert vote["votes"] == [(1, [0.5, 0.25, None]), (4, [0.75, None, None])]
    assert vote["within"] == [("debate", [0.7, None, None])]
    assert (vote["transitions"], vote["gain"]) == (None, None)
    assert arms(rows, []) == []
    assert arm_names(PARTS) == []


def test_ids_can_be_read_where_no_weights_are_kept(tmp_path: Path) -> None:
    place = answering_run(tmp_path / "run")
    for kept in place.glob("checkpoints/*"):
        for file in kept.glob("*token*"):
            file.unlink()
    tokenizer = build_tokenizer(512)
    with Run.open(place, read_only=True) as run:
        assert speller_of(run)([7]) == ["⟨7⟩"]
        for policy in (None, SimpleNamespace(tokenizer=tokenizer)):
            save_spelling(SimpleNamespace(policy=policy), run.checkpoint(1))  # type: ignore[arg-type]
        ids = tokenizer.encode("12<|end|>", add_special_tokens=False)
        assert speller_of(run)(ids) == ["1", "2", "<|end|>"]
        assert "<|end|>" in specials_of(run)


def test_what_was_measured_of_a_proposal_has_its_interval() -> None:
    facts = context_facts({"before": "a", "after": "a", "proposed": "b", "validation": compared(0.5, 0.25, 0.125)})
    assert facts["accepted"] is False
    assert facts["measured"]["gain"] == [-0.25, pytest.approx(-0.495), pytest.approx(-0.005)]
    unknown = context_facts({"before": "a", "after": "a", "proposed": "b", "validation": compared(0, 1, float("inf"))})
    assert unknown["measured"]["gain"] == [1, None, None], "one task tells nothing of the spread"
    assert context_facts({"before": "a", "after": "a", "studies": []}) == {"before": "a", "after": "a"}


def test_versions_are_told_with_what_they_came_from_and_what_became_of_them(tmp_path: Path) -> None:
    place = telling_run(tmp_path / "run")
    told = read(place, "contexts")
    assert (told["of"], told["every"]) == (4, 1)
    first, second, third, fourth = told["versions"]
    assert [one["number"] for one in told["versions"]] == [0, 1, 2, 3]
    assert [one["step"] for one in told["versions"]] == [0, 1, 3, 5]
    assert [one["rolled_back"] for one in told["versions"]] == [None, None, 4, None]
    assert second["parent"] == first["digest"]
    assert third["parent"] == fourth["parent"] == second["digest"]
    assert second["measured"]["gain"][0] == 0.25

    def texts(version: dict[str, Any]) -> list[tuple[str, str, int]]:
        return [(kind, told["texts"][text], votes) for _, kind, text, _, votes, _ in version["entries"]]

    assert texts(first) == []
    assert texts(second) == [("insight", "Carry the one.", 1)]
    assert [kind for kind, *_ in texts(third)] == ["insight", "insight", "skill"]
    assert texts(third)[0] == ("insight", "Always carry the one.", 3)
    assert second["entries"][0][0] == third["entries"][0][0], "an entry keeps its number, so its change can be told"
    assert told["texts"][third["instructions"]] == "Answer with a number.\nBe very brief.\n"
    (rejected,) = [step for step in read(place, "lineage")["steps"] if step["step"] == 2]
    assert rejected["context"]["proposed"] == "feedfacefeedface"
    assert rejected["context"]["after"] == second["digest"]

    shutil.rmtree(place / "contexts" / third["digest"])
    gone = read(place, "contexts")["versions"][2]
    assert "entries" not in gone
    assert gone["step"] == 3


def test_the_pool_says_what_candidates_are_made_of_and_where_nobody_is_better(tmp_path: Path) -> None:
    assert pool_of(None) is None
    assert pool_of(tmp_path) is None
    candidates = (
        Candidate("", (0.0, 1.0, None)),
        Candidate("Be brief.", (1.0, 0.0, 0.0), (0,), 1, "aa"),
        Candidate("x" * 900, (1.0, 1.0, 0.5), (0, 1), 2, "bb"),
    )
    notes = {"pool": Pool(candidates).as_json()}
    (tmp_path / "learner.json").write_text(json.dumps({"proposed": 0, "earlier": [], "notes": notes}))
    found = pool_of(tmp_path)
    assert found is not None
    assert (found["of"], found["tasks"]) == (3, 3)
    assert [one["best"] for one in found["candidates"]] == [1, 1, 3]
    assert [one["parents"] for one in found["candidates"]] == [[], [0], [0, 1]]
    assert [one["mean"] for one in found["candidates"]] == [0.5, pytest.approx(1 / 3), pytest.approx(2.5 / 3)]
    assert found["candidates"][2]["says"] == "x" * 800 + "…"


def test_more_than_there_is_room_for_is_thinned_by_the_rule(tmp_path: Path) -> None:
    steps: list[dict[str, Any]] = []
    context, last = Context(), ""
    for number in range(40):
        context = context.draft()
        context.memory.add(Kind.INSIGHT, f"<{number}> " + "long " * 40)
        (place := tmp_path / context.digest).mkdir()
        context.save(place)
        if last:
            facts = {"before": last, "after": context.digest, "proposed": context.digest, "accepted": True}
            steps.append({"step": number, "before": number - 1, "after": number, "context": facts | {"measured": None}})
        last = context.digest
    assert len(versions_of(steps)) == 40
    whole = Told(1_000_000).told(steps, tmp_path)
    assert whole is not None
    assert (whole["every"], len(whole["versions"])) == (1, 40)
    small = Told(8_000).told(steps, tmp_path)
    assert small is not None
    every = small["every"]
    assert every > 1
    assert len(json.dumps(small)) < 8_000 + 8 * 40 * every
    numbers = [version["number"] for version in small["versions"]]
    assert numbers == sorted({*range(39, -1, -every), 0}), "the first, and every k-th counted back from the last"
    assert small["versions"][-1]["left_out"] > 0
    kept = len(small["versions"][-1]["entries"])
    assert kept + small["versions"][-1]["left_out"] == 40
    assert Told(8_000).told([], tmp_path) is None
