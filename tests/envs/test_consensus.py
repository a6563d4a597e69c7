"""Programs and tests that agree, with sets worked by hand; and what programs of the sandbox give."""

import numpy as np
from palaestra.envs import make
from palaestra.envs.code.consensus import Consensus, RunsPrograms, consensus


def test_the_score_is_programs_times_tests() -> None:
    programs = [("1", "2"), ("1", "2"), ("1", "9"), ("7", "7"), ("1", None)]
    writers = [("1", "2"), ("1", "2"), ("1", "9"), (None, "8")]
    # Tests: 0 gives 1, 1 gives 2, 1 gives 9, 1 gives 8. The last program passes the first test alone.
    assert consensus(programs, writers) == [Consensus((0, 1), 2), Consensus((2,), 2), Consensus((4,), 1)]
    assert consensus(programs, writers)[0].score == 4


def test_tests_outweigh_programs_that_pass_fewer() -> None:
    programs = [("1", "2", "3"), ("1", "2", "3"), ("1", "0", "0"), ("1", "0", "0"), ("1", "0", "0")]
    writers = [("1", "2", "3")]
    assert [one.score for one in consensus(programs, writers)] == [6, 3]
    # Without the tests that both halves write, nothing is agreed on.
    assert consensus(programs, [("4", "4", "4")]) == []
    assert consensus(programs, [(None, None, None)]) == []


def test_programs_that_fail_give_nothing() -> None:
    env = make("synthesis?size=20")
    assert isinstance(env, RunsPrograms)
    inputs = env.inputs(np.random.default_rng(0), 5)
    assert inputs == env.inputs(np.random.default_rng(0), 5)
    values = [x for (x,) in inputs]
    replies = ["x*2", "2*x", "x+x if x else 0/0", "nonsense(", "def f(x):\n    return x + 1", f"1//(x-{values[0]})"]
    given = env.returned(env.tasks[0], replies, inputs)
    assert given[0] == given[1] == given[2] == tuple(repr(2 * x) for x in values)
    assert given[3] == (None,) * 5
    assert given[4] == tuple(repr(x + 1) for x in values)
    assert given[5][0] is None
    assert given[5][1] is not None
