import subprocess
import sys
import threading
import time

import pytest
from palaestra.agents.crew import Crew
from palaestra.envs.errors import StuckError


def test_calls_are_made_and_their_results_and_errors_come_back() -> None:
    with Crew(4, None) as crew:
        futures = [crew.submit(lambda n=n: 10 // n, "A") for n in (5, 2, 0)]
        assert [future.result(10) for future in futures[:2]] == [2, 5]
        with pytest.raises(ZeroDivisionError):
            futures[2].result(10)


def test_no_more_calls_run_at_once_than_there_are_workers() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    with Crew(3, 10.0) as crew:
        for future in [crew.submit(call, "A") for _ in range(20)]:
            future.result(10)
    assert most == 3


def test_a_call_that_never_answers_is_named_and_its_place_is_taken() -> None:
    never = threading.Event()
    with Crew(1, 0.2) as crew:
        stuck = crew.submit(never.wait, "Episode 'e7' in mine/World-v0")
        # It waits longer for the only thread than a call may take: that is not charged.
        queued = crew.submit(lambda: "done", "B")
        with pytest.raises(
            StuckError, match=r"Episode 'e7' in mine/World-v0 has been waited for since 20\d\d-.*0\.2 s"
        ):
            stuck.result(10)
        assert queued.result(10) == "done"
        assert crew.submit(lambda: "again", "C").result(10) == "again"
    never.set()


def test_a_call_that_ends_too_late_disturbs_nobody() -> None:
    late = threading.Event()
    with Crew(1, 0.1) as crew:
        stuck = crew.submit(lambda: late.wait(10), "A")
        with pytest.raises(StuckError):
            stuck.result(10)
        late.set()
        assert [crew.submit(lambda n=n: n, "B").result(10) for n in range(5)] == [0, 1, 2, 3, 4]
        assert isinstance(stuck.exception(), StuckError)


def test_a_stuck_call_does_not_hold_up_the_end_of_the_process() -> None:
    code = """
import time
from palaestra.agents.crew import Crew
with Crew(1, None) as crew:
    crew.submit(lambda: time.sleep(600), "A")
    time.sleep(0.1)
print("over")
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True, check=True)
    assert done.stdout == "over\n"


def test_calls_nobody_has_begun_are_not_made_after_the_end() -> None:
    made, go = [], threading.Event()
    with Crew(1, None) as crew:
        crew.submit(lambda: go.wait(10), "A")
        crew.submit(lambda: made.append(1), "B")
    go.set()
    time.sleep(0.1)
    assert made == []
