"""What evaluations find besides accuracy, with numbers worked by hand."""

from math import exp, isnan, log
from pathlib import Path

import numpy as np
import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.envs.errors import ShapeError, UnknownNameError, UsageError
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.calibration import calibration_error, confidence
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evaluation.record import Estimate, Evaluation, Score
from palaestra.evolution.evaluation.statistics import gap_recovered, mean_over_tasks
from palaestra.evolution.evaluation.transfer import transfer
from palaestra.evolution.evaluation.voting import Ballot, elected
from palaestra.evolution.result import Result


def test_votes_are_counted_and_ties_favour_nobody() -> None:
    right, wrong = Ballot("5", True), Ballot("6", False)
    assert elected([right, right, wrong]) == 1.0
    assert elected([right, wrong, wrong]) == 0.0
    assert elected([right, wrong]) == 0.5
    assert elected([right, wrong, Ballot("7", False)]) == pytest.approx(1 / 3)
    # Who says nothing has no vote, however many they are.
    assert elected([Ballot(None, False)] * 5 + [right]) == 1.0
    assert elected([Ballot(None, False)]) == 0.0


def test_a_verifier_outvotes_the_majority_among_the_largest_clusters() -> None:
    many, few = [Ballot("6", False, 0.1)] * 3, [Ballot("5", True, 0.4)] * 2
    one = Ballot("9", False, 0.95)
    assert elected([*many, *few]) == 1.0  # 0.8 against 0.3
    # The single most trusted reply is in no large cluster.
    assert elected([*many, *few, one]) == 0.0
    assert elected([*many, *few, one], clusters=2) == 1.0
    assert elected([*many, *few, one], clusters=1) == 0.0


def test_calibration_is_the_gap_by_bins() -> None:
    # Bin (0.9, 1]: mean 0.95, half right, gap 0.45 of two; bin (0.4, 0.5]: 0.5, right, gap 0.5 of one.
    assert calibration_error([1.0, 0.9 + 1e-9, 0.5], [True, False, True]) == pytest.approx((2 * 0.45 + 0.5) / 3)
    assert calibration_error([1.0, 0.0], [True, False]) == 0.0
    # In one bin over- and underconfidence cancel.
    assert calibration_error([0.25, 0.75], [True, False], bins=1) == 0.0
    assert calibration_error([0.25, 0.75], [True, False], bins=2) == 0.75
    for wrong in (([], []), ([0.5], [True, False]), ([1.5], [True])):
        with pytest.raises(ShapeError):
            calibration_error(*wrong)


def test_confidence_is_a_geometric_mean() -> None:
    turn = Turn("", "", "", 0.0, reply_ids=np.zeros(2, np.int32), logprobs=np.log(np.array([0.9, 0.4], np.float32)))
    episode = Episode("e", "env", "t", "f", "g", 0, 0, "p", (turn,), Verdict(0.0, Status.WRONG))
    assert confidence(episode) == pytest.approx(exp((log(0.9) + log(0.4)) / 2))
    silent = Episode("e", "env", "t", "f", "g", 0, 0, "p", (), Verdict(0.0, Status.WRONG))
    assert confidence(silent) is None


def test_the_gap_recovered() -> None:
    assert gap_recovered(0.5, 0.7, 0.9) == pytest.approx(0.5)
    assert gap_recovered(0.5, 0.4, 0.9) == pytest.approx(-0.25)
    with pytest.raises(ShapeError, match="no gap"):
        gap_recovered(0.9, 0.9, 0.9)


def test_a_mean_over_tasks_has_an_interval() -> None:
    found = mean_over_tasks([1.0, 0.0] * 50, np.random.default_rng(0))
    # The deviation of the mean is 0.05.
    assert found.value == 0.5
    assert (found.low, found.high) == (pytest.approx(0.4, abs=0.011), pytest.approx(0.6, abs=0.011))


def evaluation(step: int, **accuracies: float) -> Evaluation:
    scores = (Score(e, 9, Estimate(a, 0, 1), {}, a, {}, 0, 0, 0.0) for e, a in accuracies.items())
    return Evaluation(step, step, tuple(scores))


def test_transfer_and_forgetting() -> None:
    history = [
        evaluation(0, one=0.2, two=0.1),
        evaluation(5, one=0.6, two=0.2),
        evaluation(9, one=0.9, two=0.3),  # the end of the first stage
        evaluation(12, two=0.8, one=0.5),
    ]
    found = transfer(history)
    assert (found.envs, found.stages) == (("one", "two"), ("one", "two"))
    assert found.accuracy.tolist() == [[0.2, 0.1], [0.9, 0.3], [0.5, 0.8]]
    assert found.change == pytest.approx(np.array([[0.7, 0.2], [-0.4, 0.5]]))
    assert found.forgotten == pytest.approx([0.4, 0.0])
    assert found.backward == pytest.approx(-0.4)
    assert isnan(transfer(history[:3]).backward)
    with pytest.raises(ShapeError, match="before and after"):
        transfer(history[:1])


def test_a_result_over_several_environments_says_what_was_forgotten() -> None:
    def told(*history: Evaluation) -> object:
        ends = history[0], history[-1]
        counts = {"episodes": 0, "used": 0, "invalid": 0, "steps": 1, "seconds": 0.0, "birth_seconds": 0.0}
        return Result("r", 0, "one", *ends, history, **counts, examples=(), run=Path("r")).as_json()["transfer"]

    found = told(evaluation(0, one=0.2, two=0.5), evaluation(1, one=0.75, two=0.25))
    assert found["forgotten"] == {"one": 0.0, "two": 0.25}
    assert told(evaluation(0, one=0.2), evaluation(1, one=0.75)) is None
    # In an arena the champion is an opponent only once there is one.
    assert told(evaluation(0, one=0.2, two=0.5), evaluation(1, one=0.75)) is None


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="majority"):
        HeldOut(also=("majorty",))
    with pytest.raises(UsageError, match="several attempts"):
        HeldOut(also=("majority",))
    HeldOut(also=("calibration",))
