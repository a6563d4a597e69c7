"""Self-correction in whole runs: accuracy by round, transitions, cost, and a record that all of it is read from again.

The policy is a served model that forgets carries at first and, asked again, says the other of two answers it knows.
"""

import re
import shutil
from collections import Counter

import numpy as np
import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.panel import Panels
from palaestra.agents.policy import FinishReason
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.feedback import ASK, EXPLAIN, IT_STANDS, OTHERS, REVISE
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.correcting import Correcting
from palaestra.evolution.evaluation.record import Estimate, Evaluation, Score
from palaestra.evolution.evaluation.rounds import course_of_drafts, course_of_votes, figures_of, votes_within
from palaestra.evolution.evaluation.voting import Ballot
from palaestra.evolution.evolve import evolve, resume
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.report.arms import arms_table
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent
from rich.console import Console
from scripted_server import Said, chat

SMALL = {"evaluate.tasks": 16}
RIGHT, WRONG = Verdict(1.0, Status.CORRECT), Verdict(0.0, Status.WRONG)


def known(prompt):
    """The right sum and the one without carries."""
    one, other = re.findall(r"\d+", prompt)
    digits = zip(one.zfill(2), other.zfill(2), strict=True)
    return str(int(one) + int(other)), str(int("".join(str((int(a) + int(b)) % 10) for a, b in digits)))


def careless(heard):
    said = [(message["role"], message["content"]) for message in heard.body["messages"]]
    right, slip = known(said[0][1])
    asked = said[-1][1]
    if asked.endswith(ASK):
        return Said(chat("something is wrong"))
    if asked == said[0][1]:
        return Said(chat(slip))
    mine = [text for role, text in said if role == "assistant" and text in (right, slip)][-1]
    if asked.startswith(OTHERS):
        return Said(chat(asked.split("\n")[1]))
    return Said(chat(slip if mine == right else right))


@pytest.fixture
def ran(served, tmp_path):
    """Runs a recipe with the careless model; returns its result and its directory."""

    def run(recipe, script=careless, env="arithmetic", **settings):
        policy = f"http:m@{served(script).url}"
        place = tmp_path / recipe
        chosen = SMALL | {"acquire.sample.groups": 4} | settings
        result = evolve(
            find_recipe(recipe, chosen),
            objective=Objective(env, (env,)),
            policy=policy,
            seed=0,
            directory=place,
            view=Silent(),
            settings=chosen,
        )
        return result, place

    return run


def score_of(result, name=""):
    return next(s for s in result.after.scores if s.measure == f"held-out accuracy{f', {name}' if name else ''}")


def slipped(result):
    """Share of the held-out tasks in which forgetting carries makes a difference."""
    return 1.0 - result.score_before.accuracy.value


def test_an_audit_tells_what_became_of_first_answers_with_and_without_an_oracle(ran):
    result, place = ran("self-correct-audit")
    wrong = slipped(result)
    assert 0 < wrong < 1
    # It changes its mind each time, so that after two rounds it is where it began.
    intrinsic = score_of(result).figures
    assert [intrinsic[f"round {n}"] for n in range(3)] == pytest.approx([1 - wrong, 1.0, 1 - wrong])
    assert intrinsic["wrong to wrong"] == pytest.approx(wrong)
    assert (intrinsic["right to wrong"], intrinsic["wrong to right"], intrinsic["gain"]) == (0.0, 0.0, 0.0)
    for name in ("oracle stops", "oracle tells"):
        figures = score_of(result, name).figures
        assert figures["round 2"] == 1.0
        assert figures["wrong to right"] == pytest.approx(wrong)
        assert figures["right to wrong"] == 0.0
        assert figures["gain"] == pytest.approx(wrong)
    # Whoever is right at once is asked nothing.
    assert score_of(result, "oracle tells").figures["replies"] == pytest.approx(1 + wrong)
    assert score_of(result, "oracle stops").figures["replies"] == pytest.approx(1 + 2 * wrong)
    debate, vote = score_of(result, "debate").figures, score_of(result, "vote").figures
    assert debate["replies"] == vote["replies"] == 9
    assert vote["majority@9"] == pytest.approx(1 - wrong)
    assert "within tokens of debate" in vote
    assert not list((place / "checkpoints").rglob("*.safetensors"))


def test_what_was_measured_is_read_from_the_record_again(ran):
    result, place = ran("self-correct-audit", **{"evaluate.tasks": 6})
    with Run.open(place, read_only=True) as run:
        recorded = run.evaluations.read("step-000001")
        rows = [row for row in run.metrics.rows() if row["phase"].startswith("evaluate/")]
        acquired = run.experience.read("step-000001")
        (lineage,) = run.lineage()
    recipe = find_recipe("self-correct-audit", SMALL)
    assert recipe.evaluate.scores("arithmetic", recorded, {}) == tuple(result.after.scores)
    assert len(recorded) == 6 * 5
    drafts = [e for e in recorded if e.group == "intrinsic"]
    assert all([turn.verdict is not None for turn in e.turns] == [True, False, True, False, True] for e in drafts)
    assert {row["phase"] for row in rows} == {f"evaluate/{score.env}" for score in result.after.scores}
    assert any("right to wrong" in row for row in rows)
    # Nothing is learned, and everything can be.
    assert [len(episode.turns) for episode in acquired] == [5] * 4
    assert lineage["learned_from"] == []
    assert (lineage["version_before"], lineage["version_after"], result.used, result.episodes) == (0, 0, 0, 4)


def test_a_finished_run_gives_its_result_again_and_a_killed_one_goes_on(ran):
    result, place = ran("self-refine")
    assert resume(place, view=Silent()).after == result.after
    # Killed before it had measured the end: of the first step the experience is there.
    (place / "result.json").unlink()
    (place / "evaluations" / "step-000001.parquet").unlink()
    shutil.rmtree(place / "checkpoints" / "step-000001")
    again = resume(place, view=Silent())
    assert again.after.scores[0].figures == result.after.scores[0].figures
    assert again.episodes == result.episodes


def test_refining_ends_where_the_policy_finds_nothing_wrong(ran):
    def content(heard):
        right, slip = known(heard.body["messages"][0]["content"])
        messages = heard.body["messages"]
        if messages[-1]["content"] != ASK:
            return Said(chat(slip if messages[-1]["content"] != REVISE else right))
        return Said(chat(IT_STANDS if messages[-2]["content"] == right else "something is wrong"))

    result, _ = ran("self-refine", content)
    figures = score_of(result).figures
    wrong = slipped(result)
    assert figures["round 0"] == pytest.approx(1 - wrong)
    assert figures["round 1"] == figures["round 4"] == 1.0
    assert figures["replies"] == pytest.approx(2 * (1 - wrong) + 4 * wrong)


def test_programs_are_mended_by_what_the_examples_say(ran):
    by_examples = {}
    for task in make("synthesis").tasks:
        by_examples[task.prompt] = task.metadata["solution"]

    def coder(heard):
        said = [message["content"] for message in heard.body["messages"]]
        if said[-1].endswith(EXPLAIN):
            return Said(chat("It is -99 whatever x is."))
        return Said(chat(by_examples[said[0]] if any("expected: " in text for text in said) else "x*0-99"))

    result, _ = ran("self-debug", coder, env="synthesis", **{"evaluate.tasks": 5})
    assert result.score_before.accuracy.value == 0.0
    assert score_of(result).figures["round 1"] == score_of(result).accuracy.value == 1.0
    assert score_of(result, "again").accuracy.value == 0.0
    # Three rounds, and each a reply; explaining comes first and is no answer.
    assert score_of(result, "again").figures["replies"] == 4
    assert score_of(result, "explained").figures["replies"] == 3


def test_most_of_several_replies_count_and_the_greedy_one_is_the_baseline(ran):
    asked = Counter()

    def scattered(heard):
        prompt = heard.body["messages"][0]["content"]
        if heard.body["temperature"] == 0.0:
            return Said(chat("-1"))
        asked[prompt] += 1
        # Every second reply is right; of the wrong ones no two agree.
        return Said(chat(known(prompt)[0] if asked[prompt] % 2 else str(1000 + asked[prompt])))

    result, _ = ran("self-consistency", scattered, **{"evaluate.arms.0.how.members": 9, "acquire.how.members": 3})
    assert result.score_before.accuracy.value == 0.0
    figures = score_of(result).figures
    assert figures["round 0"] == score_of(result).accuracy.value == 1.0
    assert figures["majority@2"] == 0.5
    assert figures["replies"] == 9


def test_the_ending_shows_every_way_of_answering(ran):
    result, _ = ran("self-correct-audit", **{"evaluate.tasks": 8})
    console = Console(width=160, record=True)
    ways = [arm.name for arm in find_recipe("self-correct-audit").evaluate.arms]
    console.print(arms_table(result, ways))
    text = console.export_text()
    named = [line.strip().split("  ")[0] for line in text.splitlines()]
    assert [line for line in named if line in ("alone", *ways, result.env)] == ["alone", *ways]
    for words in ("oracle stops", "debate", "within tokens of debate", "→"):
        assert words in text
    assert len(re.findall(r"100\.0 %", text)) >= 2


def test_a_model_that_learns_still_needs_weights(served, tmp_path):
    recipe = find_recipe("rft")
    with pytest.raises(UsageError, match="cannot be trained"):
        evolve(
            recipe,
            objective=Objective("arithmetic", ("arithmetic",)),
            policy=f"http:m@{served(careless).url}",
            seed=0,
            directory=tmp_path / "run",
            view=Silent(),
        )


def turn(action, verdict, tokens=2):
    ids = np.zeros(tokens, np.int32)
    return Turn("?", action, action, 0.0, verdict, reply_ids=ids, finish=FinishReason.STOP if tokens else None)


def episode(*turns, fingerprint="f"):
    return Episode("e", "arithmetic", "t", fingerprint, "g", 0, 0, "p", turns, turns[-1].verdict)


def test_a_draft_that_stands_stands_in_later_rounds():
    course = course_of_drafts(episode(turn("1", WRONG), turn("2", RIGHT)), 3)
    assert course.right == (False, True, True, True)
    assert (course.replies, course.tokens) == (2, 4)


def test_votes_are_counted_round_by_round():
    said = [turn("3", WRONG), turn("4", RIGHT), turn("5", WRONG), turn("4", RIGHT), turn("4", RIGHT), turn("5", WRONG)]
    course = course_of_votes(episode(*said, turn("4", RIGHT, 0)), Panels(3, 1), make("arithmetic"))
    assert course.right == (False, True)
    assert course.replies == 6
    assert course.ballots == (Ballot("3", False), Ballot("4", True), Ballot("5", False))
    # One of three different answers is drawn, so that ties favour nobody.
    assert figures_of([course])["majority@3"] == pytest.approx(1 / 3)


def test_a_debate_without_room_keeps_its_last_vote():
    said = [turn("3", WRONG), turn("4", RIGHT), turn("4", RIGHT), turn("5", WRONG), turn("5", WRONG)]
    course = course_of_votes(episode(*said, turn("4", RIGHT, 0)), Panels(3, 2), make("arithmetic"))
    assert course.right == (True, True, True)
    assert len(course.ballots) == 3


def test_a_vote_at_equal_tokens_hears_as_many_as_fit_in():
    said = [turn("4", RIGHT, 5), turn("3", WRONG, 5), turn("3", WRONG, 5)]
    course = course_of_votes(episode(*said, turn("3", WRONG, 0)), Panels(3, 0), make("arithmetic"))
    assert votes_within([course], {"f": 15}) == [0.0]
    assert votes_within([course], {"f": 14}) == [0.5]
    assert votes_within([course], {"f": 9}) == [1.0]
    assert votes_within([course], {"f": 1}) == [1.0]
    assert votes_within([course], {}) == [0.0]


def test_several_attempts_at_a_task_are_one_task_to_the_interval():
    courses = [course_of_drafts(episode(turn("1", v), fingerprint=f), 0) for f in "ab" for v in (RIGHT, WRONG)]
    figures = figures_of(courses)
    assert (figures["round 0 low"], figures["round 0"], figures["round 0 high"]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"evaluate.arms.4.matched": "nobody"}, "matched with 'nobody'"),
        ({"evaluate.arms.1.name": "intrinsic"}, "names of their own"),
        ({"evaluate.attempts": 0}, "must be at least 1"),
    ],
)
def test_arms_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        find_recipe("self-correct-audit", settings)


def test_worlds_of_several_tries_are_refused(ran):
    with pytest.raises(UsageError, match="Set its tries to 1"):
        ran("self-refine", env="arithmetic?tries=2", **{"evaluate.tasks": 12})


def test_arenas_have_no_single_answer():
    evaluate = find_recipe("self-refine").evaluate
    assert isinstance(evaluate, Correcting)
    with pytest.raises(UsageError, match="is an arena"):
        evaluate.require("nim")


def test_a_run_of_another_kind_has_no_such_table():
    class Other:
        after = type("Evaluation", (), {"scores": ()})

    assert arms_table(Other, ()) is None


def test_the_table_says_where_where_there_are_several_environments():
    def measured(env, way="", value=0.5):
        named = f"{env} with {way}" if way else env
        words = f"held-out accuracy, {way}" if way else "held-out accuracy"
        figures = {"round 0": value, "replies": 1.0, "tokens": 8.0}
        return Score(named, 4, Estimate(value, 0.0, 1.0), {}, value, {}, 0, 8, 0.0, measure=words, figures=figures)

    class Two:
        before = Evaluation(0, 0, (measured("a", value=0.125), measured("b", value=0.25)))
        after = Evaluation(1, 1, tuple(measured(env, way) for env in "ab" for way in ("", "vote")))

    console = Console(width=160, record=True)
    console.print(arms_table(Two, ["debate", "vote"]))
    lines = [line.split() for line in console.export_text().splitlines() if line.strip()]
    labels = [line[0] for line in lines if line[0] in ("alone", "debate", "vote", "a", "b")]
    assert labels == [word for env in "ab" for way in ("alone", "debate", "vote") for word in (way, env)]
    assert [line[1] for line in lines if line[0] == "alone"] == ["12.5", "25.0"]
