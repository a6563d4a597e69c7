"""A hidden code: what the judge tells of it, and what raises a newborn to read and write notes."""

import re
from collections import Counter

import pytest
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.puzzle.codebook import WORDS, Codebook, usual_code
from palaestra.envs.task import HELD_OUT_SHARE
from palaestra.envs.verdict import Status


def test_each_code_changes_some_words_and_stays_the_same():
    books = [Codebook(code=code).book for code in (1, 2, 3)]
    usual = usual_code()
    assert sorted(usual.values()) == list(range(10))
    for book in books:
        assert sum(book[word] != usual[word] for word in WORDS) == 3
    assert len({tuple(book.items()) for book in books}) == 3
    assert Codebook(code=1).book == books[0]
    assert Codebook(code=1, changed=0.0).book == usual


def test_the_first_wrong_word_is_told_and_nothing_more():
    env = make("codebook?code=1&tries=2")
    task = env.tasks[0]
    words = list(task.reference)
    right = dict(task.reference)
    wrong = right | {words[1]: (right[words[1]] + 1) % 10, words[3]: (right[words[3]] + 1) % 10}
    env.reset(options={"task": task})
    observation, reward, over, _, info = env.step(" ".join(f"{word}={digit}" for word, digit in wrong.items()))
    told = f"{words[1]}={right[words[1]]}, not {wrong[words[1]]}."
    assert (info["verdict"].detail, reward, over) == (told, 0.0, False)
    assert observation.startswith(told)
    assert env.step(f"so {env.solution(task)[0]}")[1] == 1.0


def test_what_counts_is_every_word_by_its_last_digit():
    env = make("codebook?code=1")
    task = env.tasks[0]
    word, digit = next(iter(task.reference.items()))
    good = env.solution(task)[0]
    assert env.judge_reply(task, f"{word}={(digit + 1) % 10}? no: {good}").status is Status.CORRECT
    assert env.judge_reply(task, good.replace(f"{word}={digit} ", "")).detail == f"{word}={digit}, not told."
    assert env.judge_reply(task, "1 2 3").status is Status.UNPARSED
    assert env.answer("de=2 ba=1") == env.answer("ba=1  de=2") == "ba=1 de=2"


def test_no_prompt_tells_the_code_and_there_is_enough_to_hold_out():
    env = make("codebook?code=5")
    assert len(env.tasks) > 4_000
    assert not any(re.search(r"\w\w=\d", task.prompt.partition(": ")[2]) for task in env.tasks)
    assert 300 < sum(task.held_out(HELD_OUT_SHARE) for task in env.tasks) < 600
    assert env.hinted(env.tasks[0]) is None


def test_a_newborn_is_raised_on_tasks_that_follow_from_what_is_told():
    env = make("codebook")
    assert env.mastered
    assert not make("codebook?code=1").mastered
    kinds = Counter(task.metadata["kind"] for task in env.tasks)
    assert kinds["decode"] > kinds["operation"] > kinds["lesson"] > 300
    usual = usual_code()
    for task in env.tasks[:400]:
        facts = dict(re.findall(r"(\w\w)=(\d)", task.prompt.rpartition(": ")[0]))
        facts = {word: digit for word, digit in facts.items() if word in WORDS}
        if task.metadata["kind"] == "decode":
            told = task.prompt.replace("ba=1 de=2: ", ": ").rpartition(": ")[0]
            book = {w: str(d) for w, d in usual.items()} | dict(re.findall(r"(\w\w)=(\d)", told))
            assert {word: str(digit) for word, digit in task.reference.items()} == {w: book[w] for w in task.reference}
        elif task.metadata["kind"] == "lesson":
            assert f"The judge: {task.reference}, not " in task.prompt
        else:
            fact = re.search(r"The judge: (\w\w=\d), not ", task.prompt)[1]
            notes = dict(re.findall(r"^(\d)\. (\w\w=\d)$", task.prompt, re.MULTILINE))
            about = {number: note for number, note in notes.items() if note[:2] == fact[:2]}
            if not about:
                assert task.reference == f"ADD: {fact}"
            else:
                ((number, note),) = about.items()
                assert task.reference == (f"UPVOTE {number}" if note == fact else f"EDIT {number}: {fact}")


@pytest.mark.parametrize("setting", ["code=-1", "changed=1.5", "length=0", "length=9", "size=0"])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(UsageError):
        make(f"codebook?{setting}")
