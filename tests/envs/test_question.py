"""Questions: tries, feedback, judges that fail."""

import json
import pickle
from pathlib import Path

import pytest
from palaestra.envs.errors import BadRowError, UnknownNameError, UsageError
from palaestra.envs.math.answers import NumberJudge
from palaestra.envs.question import FileQuestions, QuestionEnv
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.verdict import Judge, Status, Verdict

NUMBER = NumberJudge()
TASKS = TaskSet([Task("a", "2 + 3 = ?", 5), Task("b", "2 + 4 = ?", 6)])


def asked(judge: Judge = NUMBER, tries: int = 1) -> QuestionEnv:
    env = QuestionEnv(TASKS, judge, tries=tries)
    assert env.reset(seed=0, options={"task": "a"}) == ("2 + 3 = ?", {"task": "a"})
    return env


def test_one_try_ends_at_once() -> None:
    observation, reward, terminated, truncated, info = asked().step("5")
    assert (observation, reward, terminated, truncated) == ("Correct.", 1.0, True, False)
    assert info == {"task": "a", "verdict": Verdict(1.0, Status.CORRECT)}
    _, reward, terminated, _, info = asked().step("6")
    assert (reward, terminated, info["verdict"].status) == (0.0, True, Status.WRONG)


def test_several_tries_give_feedback_that_keeps_the_answer_secret() -> None:
    env = asked(tries=3)
    observation, reward, terminated, _, info = env.step("7")
    assert (reward, terminated, info["verdict"].status) == (0.0, False, Status.WRONG)
    assert observation == "That is not correct. Tries left: 2."
    assert env.step("hm")[0] == "No answer could be found in that reply. Tries left: 1."
    assert env.step("5")[:3] == ("Correct.", 1.0, True)


def test_the_last_try_ends_the_episode() -> None:
    env = asked(tries=2)
    assert env.step("7")[2] is False
    assert env.step("8")[2] is True
    with pytest.raises(UsageError, match="reset"):
        env.step("5")


def test_partial_rewards_of_earlier_tries_do_not_add_up() -> None:
    env = asked(lambda task, reply: Verdict(0.5, Status.PARTIAL), tries=3)
    assert [env.step("x")[1] for _ in range(3)] == [0.0, 0.0, 0.5]


def failing(task: Task, reply: str) -> Verdict:
    raise RecursionError(reply)


def nonsense(task: Task, reply: str) -> Verdict:
    return 1.0  # type: ignore[return-value]


def infinite(task: Task, reply: str) -> Verdict:
    return Verdict(float("inf"), Status.CORRECT)


@pytest.mark.parametrize("judge", [failing, nonsense, infinite])
def test_a_judge_that_fails_is_never_a_reward(judge: Judge) -> None:
    _, reward, terminated, _, info = asked(judge, tries=3).step("5")
    assert (reward, terminated, info["verdict"].status) == (0.0, True, Status.INFRASTRUCTURE)


def test_a_broken_task_ends_the_episode() -> None:
    env = QuestionEnv(TaskSet([Task("a", "p", "no number")]), NumberJudge(), tries=3)
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("5")
    assert (reward, terminated, info["verdict"].status) == (0.0, True, Status.BROKEN_TASK)


def test_it_must_be_reset_and_have_a_try() -> None:
    with pytest.raises(UsageError, match="reset"):
        QuestionEnv(TASKS, NumberJudge()).step("5")
    with pytest.raises(UsageError, match="reset"):
        asked().clone().step("5")
    with pytest.raises(UsageError, match="tries"):
        QuestionEnv(TASKS, NumberJudge(), tries=0)


def test_a_prompt_longer_than_usual_is_still_an_observation() -> None:
    env = QuestionEnv(TaskSet([Task("a", "x" * 150_000, 1)]), NumberJudge())
    assert env.reset(seed=0)[0] in env.observation_space


def test_it_travels_to_other_processes() -> None:
    twin = pickle.loads(pickle.dumps(asked()))
    assert twin.step("5")[1] == 1.0


def written(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_questions_from_a_file(tmp_path: Path) -> None:
    path = written(tmp_path / "q.jsonl", {"id": "x", "prompt": "2 + 3?", "answer": 5})
    env = FileQuestions(path)
    assert env.reset(seed=0)[0] == "2 + 3?"
    assert env.solution(env.tasks.by_id("x")) == ("5",)
    assert env.step("5")[1] == 1.0


def test_an_answer_the_judge_cannot_read_is_a_bad_row(tmp_path: Path) -> None:
    path = written(tmp_path / "q.jsonl", {"prompt": "p", "answer": 5}, {"prompt": "q", "answer": "many"})
    with pytest.raises(BadRowError, match=r"q\.jsonl, line 2, field 'answer': .*judge=exact"):
        FileQuestions(path)
    env = FileQuestions(path, skip_bad_rows=True)
    assert (len(env.tasks), [error.line for error in env.skipped]) == (1, [2])
    assert len(FileQuestions(path, judge="exact").tasks) == 2


def test_a_file_and_a_known_judge_are_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="path=FILE"):
        FileQuestions()
    with pytest.raises(UnknownNameError, match="'number'"):
        FileQuestions(judge="numbers", tasks=TASKS)
    assert FileQuestions(tasks=TASKS).tasks is TASKS
