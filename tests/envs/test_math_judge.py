"""The math judge with the real library in the real sandbox."""

import os
import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from palaestra.envs.contracts import HOSTILE_ACTIONS
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.math import library as library_module
from palaestra.envs.math.judge import MathJudge
from palaestra.envs.math.library import DEEPEST_BRACKETS, LONGEST_CHARS, Library, Said, refusal, shared_library
from palaestra.envs.task import Json, Task
from palaestra.envs.verdict import Status, Verdict

JUDGE = MathJudge(seconds=20.0)
TOWER = "9^{9^{9^{9}}}"


def judged(reference: Json, reply: str, judge: MathJudge = JUDGE) -> Verdict:
    return judge(Task("t", "p", reference), reply)


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    with Library(workers=2) as library:
        yield library


@pytest.mark.parametrize(
    ("reference", "reply"),
    [
        (r"\frac{\sqrt{2}}{2}", r"So it is $\boxed{\frac{1}{\sqrt{2}}}$."),
        (r"\sqrt{2}.", r"\boxed{2^{1/2}.}"),
        ("x^2 + 2x + 1", r"The answer is $(x+1)^2$."),
        (".5x", r"\boxed{x/2}"),
        (r"(5, \infty)", r"\boxed{x \in (5, \infty)}"),
        ("x > 5", r"\boxed{5 < x}"),
        (r"y = 2x + 1", r"\boxed{y = 1 + 2x}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\boxed{\begin{pmatrix} 1 \\ 4/2 \end{pmatrix}}"),
        ("3 + 2i", r"\boxed{2i + 3}"),
        (r"\frac{\pi}{3}", r"\boxed{60\pi/180}"),
        (r"\text{east}", r"\boxed{East}"),
        (r"120", r"\boxed{5!}"),
        (42, "42"),
        (0.5, r"\boxed{\frac{1}{2}}"),
        (10**30, str(10**30)),
        ("Natalia sold 48/2 = <<48/2=24>>24 clips.\n#### 24", "24"),
        (r"We find $x = \boxed{\frac{3}{4}}$ at once.", "0.75"),
    ],
)
def test_correct(reference: Json, reply: str) -> None:
    assert judged(reference, reply) == Verdict(1.0, Status.CORRECT)


@pytest.mark.parametrize(
    ("reference", "reply"),
    [
        (r"\frac{\sqrt{2}}{2}", r"\boxed{\frac{1}{\sqrt{3}}}"),
        ("x^2 + 2x + 1", r"\boxed{(x+2)^2}"),
        ("x > 5", r"\boxed{x \ge 5}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\boxed{\begin{pmatrix} 2 \\ 1 \end{pmatrix}}"),
        (r"\text{east}", r"\boxed{\text{west}}"),
        (r"\sqrt{2}", "I think it is 1.41"),
        (42, "43"),
        ("x + 1", r"\boxed{y + 1}"),
    ],
)
def test_wrong(reference: Json, reply: str) -> None:
    verdict = judged(reference, reply)
    assert (verdict.reward, verdict.status) == (0.0, Status.WRONG)
    assert verdict.detail.startswith("expected ")


@pytest.mark.parametrize("reference", [None, True, [1], {"a": 1}, "", "  ", "?!", float("nan"), float("inf")])
def test_a_reference_that_is_no_answer_is_a_broken_task(reference: Json) -> None:
    assert judged(reference, "5").status is Status.BROKEN_TASK


@pytest.mark.parametrize(
    "reference", [r"\foo{{", "1/0", "x" * (LONGEST_CHARS + 1), "(" * 41 + "x" + ")" * 41, r"no \boxed{5"]
)
def test_a_reference_that_cannot_be_read_is_a_broken_task(reference: str) -> None:
    assert judged(reference, "5").status is Status.BROKEN_TASK


def test_a_task_proves_its_own_answer() -> None:
    for reference in ("5", r"\frac{\sqrt{3}}{2}", r"\text{no solution}", "11:30", "x^2", r"(-\infty, 2) \cup (3, 4]"):
        assert judged(reference, f"\\boxed{{{reference}}}").status is Status.CORRECT


@pytest.mark.parametrize(
    "reply", ["", "I have no idea.", r"\boxed{12", r"\boxed{" + "x" * 3_000 + "}", r"\boxed{" + "(" * 99 + "}"]
)
def test_a_reply_without_an_answer_is_unparsed(reply: str) -> None:
    assert judged(r"\sqrt{2}", reply).status is Status.UNPARSED


def test_a_comparison_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    verdict = judged("x^2", TOWER, MathJudge(seconds=0.5))
    assert verdict.status is Status.TIMEOUT
    assert verdict.reward == 0.0
    assert time.monotonic() - began < 20
    assert JUDGE.equal("2y", "y + y"), "the next comparison has a process again"


def test_a_reference_that_no_comparison_can_end_with_is_a_broken_task() -> None:
    judge = MathJudge(seconds=0.5)
    began = time.monotonic()
    assert judged(rf"{TOWER} + 1", r"\boxed{2}", judge).status is Status.BROKEN_TASK
    assert judged(rf"{TOWER} + 1", r"\boxed{3}", judge).status is Status.BROKEN_TASK
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("reply", [*HOSTILE_ACTIONS, r"\frac{" * 30_000, "x^" * 900, "{" * 100_000 + "}" * 100_000])
def test_hostile_replies_earn_nothing(reply: str) -> None:
    verdict = judged(r"\sqrt{7}", reply, MathJudge(seconds=2.0))
    assert verdict.valid
    assert verdict.reward == 0.0
    assert len(verdict.detail) < 500
    verdict.detail.encode()


def test_hostile_answers_leave_the_library_alive(library: Library) -> None:
    hostile = [
        TOWER,
        "10^{10^{10}}",
        "2^{2^{2^{2^{2^{2}}}}}",
        "99999!",
        "x^{99999}",
        "(x+y+z)^{999}",
        "\ud800",
        "\x00",
        "\\" * 99,
    ]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda text: library.compare(text, "x + 1", 0.5), hostile))
    assert Said.EQUAL not in said
    assert Said.UNKNOWN_EXPECTED not in said
    assert library.compare("1 + x", "x + 1", 20.0) is Said.EQUAL


def test_any_thread_may_judge() -> None:
    verdicts: list[Verdict] = []
    threads = [
        threading.Thread(target=lambda i=i: verdicts.append(judged(f"{i}x", rf"\boxed{{{i - 1}x + x}}")))
        for i in range(2, 8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [verdict.status for verdict in verdicts] == [Status.CORRECT] * 6


def test_many_are_judged_in_order_and_counted(library: Library) -> None:
    pairs = []
    for i in range(1, 30):
        pairs += [
            (Task("a", "p", f"{i}x"), rf"\boxed{{x \cdot {i + i % 2}}}"),
            (Task("b", "p", i), str(i)),
            (Task("c", "p", None), ""),
        ]
    pairs += pairs[:6]
    counts: list[int] = []
    judge = MathJudge(seconds=20.0, library=library)
    verdicts = judge.judge_many(pairs, counts.append)
    assert verdicts == [judge(task, reply) for task, reply in pairs]
    assert {verdict.status for verdict in verdicts} == {Status.CORRECT, Status.WRONG, Status.BROKEN_TASK}
    assert counts == sorted(counts)
    assert counts[-1] == len(pairs)
    assert judge.judge_many([]) == []


def test_failing_machinery_is_no_verdict_on_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(workers=1) as library:
        judge = MathJudge(library=library)

        def broken(*_: object) -> None:
            raise InfrastructureError("no process could be started")

        monkeypatch.setattr(library._sandbox, "session", broken)
        verdict = judged("x + 1", r"\boxed{1 + x}", judge)
        assert verdict.status is Status.INFRASTRUCTURE
        assert not verdict.valid
        assert [v.status for v in judge.judge_many([(Task("t", "p", "x + 1"), "x + x + 1")])] == [Status.INFRASTRUCTURE]
        with pytest.raises(InfrastructureError):
            judge.equal("1 + x", "x + 1")
        assert judged("1", "1", judge).status is Status.CORRECT


def test_a_process_that_others_used_up_is_not_the_fault_of_the_next(library: Library) -> None:
    assert library.compare("1 + x", "x + 1", 20.0) is Said.EQUAL
    for place in library._idle:
        assert place.used
        place.session.close()
    assert library.compare("2 + x", "x + 2", 20.0) is Said.EQUAL


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing can be forked here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_asks_processes_of_its_own() -> None:
    assert JUDGE.equal("1 + x", "x + 1")
    ours = shared_library()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if library_module._shared is not ours else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert JUDGE.equal("3 + x", "x + 3")


def test_equal_compares_texts() -> None:
    assert JUDGE.equal("5 cm", "5")
    assert JUDGE.equal(r"\sqrt{8}", r"2\sqrt{2}")
    assert not JUDGE.equal(r"\sqrt{8}", r"2\sqrt{3}")
    assert not JUDGE.equal("x" * 3_000, "x + 1")
    assert not JUDGE.equal("", "")


def test_refusals_say_why() -> None:
    assert refusal("x" * LONGEST_CHARS) == ""
    assert "2001 characters" in refusal("x" * (LONGEST_CHARS + 1))
    assert refusal("(" * DEEPEST_BRACKETS) == ""
    assert "nested 41 deep" in refusal("({[" * 13 + "((")


def test_a_judge_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(JUDGE)) == JUDGE


def test_seconds_must_be_some() -> None:
    with pytest.raises(UsageError, match="seconds"):
        MathJudge(seconds=0.0)
