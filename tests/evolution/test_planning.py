from dataclasses import replace

import numpy as np
import pytest
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.planning.assumed import DEVICES, assumed_costs
from palaestra.evolution.planning.calibrate import _line
from palaestra.evolution.planning.costs import UnitCosts, Workload, read_plan, write_plan
from palaestra.evolution.planning.forecast import Fleet, _decoding, _makespan, divide, forecast, laid_out, played

COSTS = UnitCosts(
    "by hand",
    decode_step=0.01,
    decode_token=0.001,
    prefill=0.1,
    prefill_token=0.0001,
    train_step=0.5,
    train_token=0.0002,
    step=0.25,
    trained=1000.0,
    weight_bytes=2000.0,
    cache_bytes=10.0,
)
# 4 groups of 5 episodes: prompts of 100, replies of 20 tokens exactly.
WORK = Workload(groups=4, attempts=5, prompt=100, reply=20, reply_sigma=0, reply_limit=64)


def test_a_synchronous_step_by_hand():
    found = forecast(COSTS, WORK, Fleet(), "synchronous")
    # Four prompts are read once each, and twenty tokens decoded for twenty rows.
    assert found.sampling == pytest.approx(0.1 + 400 * 0.0001 + 20 * (0.01 + 20 * 0.001))
    # Each prompt is laid out once, less its last token, which stands before each reply.
    assert laid_out(WORK, 20) == (4 * 99 + 20 * 21, 4 * (99 + 5 * 21) ** 2)
    assert found.learning == pytest.approx(0.5 + 816 * 0.0002)
    assert found.seconds == pytest.approx(found.sampling + found.learning + 0.25)
    assert (found.judging, found.bottleneck, found.rollouts, found.learned) == (0.0, "sampling", 20, 20)
    assert found.rollouts_a_second == pytest.approx(20 / found.seconds)
    assert found.trainer_bytes == 16 * 1000
    assert found.sampler_bytes == 2000 + 10 * 120 * 20


def test_a_long_context_is_read_for_every_token():
    costs = replace(COSTS, cache_token=1e-6)
    more = (
        forecast(costs, WORK, Fleet(), "synchronous").sampling - forecast(COSTS, WORK, Fleet(), "synchronous").sampling
    )
    assert more == pytest.approx(20 * 20 * (100 + 20 / 2) * 1e-6)


def test_rows_leave_a_batch_when_few_go_on():
    lengths = np.array([1.0, 2.0, 3.0, 10.0])
    costs = replace(COSTS, decode_step=0.0, decode_token=1.0)
    assert _decoding(costs, lengths, 0) == 4 + 3 + 2 + 7  # each leaves at once
    # Four rows until at most two go on, after two steps; two until one does, after three; then one.
    assert _decoding(replace(costs, crowded=0.6), lengths, 0) == 4 * 2 + 2 * 1 + 1 * 7


def test_rows_that_share_little_are_laid_out_one_by_one():
    work = replace(WORK, prompt=10)
    assert laid_out(work, 20) == (20 * 30, 20 * 30**2)
    costs = replace(COSTS, train_pair=1e-5)
    assert forecast(costs, work, Fleet(), "synchronous").learning == pytest.approx(0.5 + 600 * 0.0002 + 18_000 * 1e-5)


def test_uniform_groups_are_played_and_not_learned_from():
    work = replace(WORK, groups=8, uniform=0.5, rounds=3)
    # Half of 8 teach; 4 are missing and 8 more promise them.
    assert played(work) == [8, 8]
    assert played(replace(work, uniform=0.75)) == [8, 8, 8]
    assert played(replace(work, rounds=1)) == [8]
    found = forecast(COSTS, work, Fleet(), "synchronous")
    assert (found.rollouts, found.learned) == (80, 40)


def test_jobs_on_workers_by_hand():
    assert _makespan(np.array([3.0, 1.0, 2.0]), 5) == 3.0
    # 1 is free first and takes 2; then 3 and 3 are: the last takes 4.
    assert _makespan(np.array([3.0, 1.0, 2.0, 4.0]), 2) == 7.0


def test_a_slow_world_waits_in_turn_and_hardly_ahead():
    work = replace(WORK, groups=64, judge=1.0, judge_sigma=1.5, judge_inline=False, judge_workers=1000)
    fleet = Fleet(samplers=1, trainers=1, shared=False)
    turn, one, many = (forecast(COSTS, work, fleet, mode) for mode in ("synchronous", "one step off", "asynchronous"))
    assert turn.bottleneck == "judging"
    assert turn.judging > 10  # the longest of 320
    assert many.seconds <= one.seconds < 0.5 * turn.seconds
    assert one.dropped > many.dropped
    # Few workers set the pace, whoever plays ahead.
    few = forecast(COSTS, replace(work, judge_workers=4), fleet, "asynchronous")
    assert few.bottleneck == "judging"
    assert few.seconds == pytest.approx(320 / 4 / (1 - few.dropped), rel=0.01)


def test_a_device_that_does_both_gains_nothing_without_waiting():
    turn, ahead = (forecast(COSTS, WORK, Fleet(), mode) for mode in ("synchronous", "asynchronous"))
    assert ahead.seconds == pytest.approx(turn.seconds, rel=1e-3)
    assert ahead.bottleneck == turn.bottleneck
    half, whole = (
        forecast(replace(COSTS, overlap=share), WORK, Fleet(), "asynchronous").seconds for share in (0.5, 1.0)
    )
    shorter, longer = sorted([turn.sampling, turn.learning + turn.other])
    assert (half, whole) == (pytest.approx(longer + shorter / 2), pytest.approx(longer))


def test_devices_are_divided_so_that_neither_side_waits_long():
    work = replace(WORK, groups=4096, attempts=16, reply=500, reply_limit=4000, in_flight=4096)
    best = divide(COSTS, work, 64, 8, "asynchronous")
    assert best.fleet.devices == 64
    for other in (8, 32, 56):
        moved = forecast(COSTS, work, Fleet(other, 64 - other, 8, shared=False), "asynchronous")
        assert moved.seconds >= 0.99 * best.seconds
    whole = forecast(COSTS, work, Fleet(), "synchronous")
    assert 20 < whole.seconds / best.seconds < 64
    ratio = best.fleet.samplers / best.fleet.trainers
    assert best.samplers_a_trainer == pytest.approx(ratio, rel=0.35)
    assert divide(COSTS, work, 1, 1, "asynchronous").fleet == Fleet()


def test_gradients_cost_more_the_more_there_are():
    costs = replace(COSTS, trained=1e9, reduce_byte=1e-9, sync_byte=1e-9)
    two, four = (forecast(costs, WORK, Fleet(1, k, shared=False), "synchronous") for k in (2, 4))
    assert two.learning == pytest.approx(0.5 + 4.0 + 816 / 2 * 0.0002 + 4.0)
    assert four.learning == pytest.approx(0.5 + 6.0 + 816 / 4 * 0.0002 + 4.0)


def test_a_line_through_two_measurements():
    assert _line((10, 3.0), (30, 7.0)) == (pytest.approx(1.0), pytest.approx(0.2))
    # Noise must not make work free or fixed costs negative.
    assert _line((10, 1.0), (30, 7.0)) == (0.0, pytest.approx(0.3))
    assert _line((10, 3.0), (30, 2.0)) == (2.0, 0.0)


def test_a_plan_is_kept_as_it_was_and_by_hand(tmp_path):
    file = tmp_path / "plan.toml"
    write_plan(file, COSTS, WORK)
    assert read_plan(file) == (COSTS, WORK)
    file.write_text(file.read_text().replace("prefill_token", "prefil_token"))
    with pytest.raises(UnknownNameError, match="Did you mean 'prefill_token'"):
        read_plan(file)
    file.write_text('[costs]\nname = "x"\n')
    with pytest.raises(UsageError, match="decode_step"):
        read_plan(file)
    with pytest.raises(UsageError, match="palaestra plan --save"):
        read_plan(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="uniform must be a share below 1"):
        Workload(uniform=1.0)
    with pytest.raises(UsageError, match="decode_step must be finite"):
        replace(COSTS, decode_step=-1.0)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('decode_step = "fast"', "decode_step must be float, got str 'fast'"),
        ("groups = 2.5", "groups must be int, got float 2.5"),
        ("judge_inline = 1", "judge_inline must be bool, got int 1"),
        ("rounds = true", "rounds must be int, got bool True"),
    ],
)
def test_a_plan_changed_by_hand_says_what_is_wrong(tmp_path, said, message):
    file = tmp_path / "plan.toml"
    write_plan(file, COSTS, WORK)
    name = said.partition(" ")[0]
    file.write_text("\n".join(said if line.startswith(f"{name} =") else line for line in file.read_text().split("\n")))
    with pytest.raises(UsageError, match=message):
        read_plan(file)


def test_a_plan_is_read_whatever_its_name_and_refused_where_it_has_no_tables(tmp_path):
    file, odd = tmp_path / "plan.toml", replace(COSTS, name='local:C:\\models\\"mine"')
    write_plan(file, odd, WORK)
    assert read_plan(file) == (odd, WORK)
    file.write_text("costs = 3\n")
    with pytest.raises(UsageError, match=r"\[costs\] .* a table"):
        read_plan(file)


def test_assumed_devices_follow_their_published_figures():
    h100 = assumed_costs("h100:1e9")
    assert h100.decode_step == pytest.approx(2e9 / (0.6 * 3.35e12))
    assert h100.train_token == pytest.approx(6e9 / (0.4 * 989e12))
    assert assumed_costs("h200:1e9").decode_step < h100.decode_step < assumed_costs("a100:1e9").decode_step
    # Between hosts the wire is the network.
    assert assumed_costs("h100:1e9", hosts=2).reduce_byte == pytest.approx(h100.reduce_byte * 9)
    for bad in ("h100", "h100:many", "h100:-1"):
        with pytest.raises(UsageError, match="DEVICE:PARAMETERS"):
            assumed_costs(bad)
    with pytest.raises(UnknownNameError, match="Did you mean 'h100'"):
        assumed_costs("h10:1e9")
    assert set(DEVICES) == {"a100", "h100", "h200"}
