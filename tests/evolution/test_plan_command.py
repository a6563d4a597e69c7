"""`palaestra plan` on a policy that was just born, and from files and figures."""

import json

import pytest
from palaestra.evolution.cli import main
from palaestra.evolution.planning.costs import read_plan


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(["plan", *map(str, arguments)])
    said = capsys.readouterr()
    return left.value.code or 0, said.out, said.err


@pytest.fixture
def policy(beginner):
    return beginner


def test_it_measures_this_machine_and_keeps_what_it_measured(policy, tmp_path, capsys):
    kept, out = tmp_path / "plan.toml", tmp_path / "plan.json"
    asked = ["--policy", f"local:{policy}", "--env", "palaestra/Arithmetic-v0?digits=1", "--save", kept, "--json", out]
    small = ["--set", "acquire.groups=6", "--set", "acquire.sampling.max_tokens=6"]
    code, said, _ = run(capsys, *asked, *small, "--devices", 4)
    assert code == 0
    costs, work = read_plan(kept)
    assert (work.groups, work.attempts, work.rounds, work.reply_limit) == (6, 8, 3, 6)
    assert 1 <= work.reply <= 6
    assert work.turns == 1
    assert work.judge > 0
    assert work.judge_inline
    for name in ("decode_step", "decode_token", "train_token", "prefill_token", "sync_byte"):
        assert 0 <= getattr(costs, name) < 1, name
    assert costs.decode_step + costs.decode_token > 0
    assert costs.trained * 4 == costs.weight_bytes
    plans = json.loads(out.read_text())["plans"]
    assert [plan["mode"] for plan in plans] == ["synchronous", "one step off", "asynchronous"] * 2
    assert all(plan["seconds"] > 0 and plan["rollouts_a_second"] > 0 for plan in plans)
    assert [sum(plan["fleet"][k] for k in ("samplers", "trainers")) for plan in plans[3:]] == [4] * 3
    assert "samplers keep one trainer busy" in said
    # From the file, with something changed: nothing is measured, and longer replies take longer.
    code, _, _ = run(capsys, "--file", kept, "--json", out, "--set", "workload.reply=6", "--set", "costs.decode_step=1")
    assert code == 0
    changed = json.loads(out.read_text())["plans"][0]
    assert changed["sampling"] > plans[0]["sampling"]
    assert changed["bottleneck"] == "sampling"


def test_other_devices_by_their_published_figures(capsys):
    asked = ["--assume", "h100:1.5e9", "--devices", 8, "--hosts", 64, "--json", "-"]
    code, said, shown = run(capsys, *asked, "--set", "workload.reply=1000", "--set", "workload.reply_limit=4000")
    assert code == 0
    value = json.loads(said)
    assert value["costs"]["name"] == "h100, 1.5e+09 parameters (assumed)"
    assert value["plans"][-1]["fleet"]["hosts"] == 64
    assert "(assumed)" in shown
    code, said, _ = run(capsys, "--assume", "h100:70e9")
    assert code == 0
    assert "does not fit" in said


def test_what_cannot_be_planned_is_said(capsys):
    for words, hint in [
        (["alphazero"], "sample groups"),
        (["rft"], "learn by a policy gradient"),
        (["--policy", "scripted:random"], "cannot be trained"),
        (["--assume", "abacus:1"], "Unknown device 'abacus'"),
        (["--file", "nowhere.toml"], "cannot be read"),
        (["--assume", "h100:1e9", "--set", "workload.replies=3"], "Did you mean 'reply'"),
    ]:
        code, _, err = run(capsys, *words)
        assert code == 2, words
        assert hint in err, (words, err)
