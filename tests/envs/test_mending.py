"""Tiny programs that are mended by their last line."""

import pytest
from palaestra.envs import make
from palaestra.envs.errors import UnknownNameError
from palaestra.envs.verdict import Status


@pytest.fixture(scope="module")
def worlds() -> dict:
    return {trace: make(f"mend?trace={trace}&size=60") for trace in ("on", "off", "some")}


def test_the_trace_is_that_of_the_broken_program(worlds: dict) -> None:
    for task in worlds["on"].tasks[:20]:
        shown, _ = worlds["on"].reset(options={"task": task})
        plain, _ = worlds["off"].reset(options={"task": task})
        assert plain == task.prompt
        assert [line.partition("  #")[0] for line in shown.splitlines()] == plain.splitlines()
        x, scope = task.metadata["input"], {}
        exec(task.metadata["broken"], scope)
        assert f"  # (0) x={x}\n" in shown
        assert "  # (1) a=" in shown
        assert f"  # (2) return {scope['f'](x)}\n" in shown
        assert plain.endswith(f"f({x})=={task.metadata['wanted']}")
        assert scope["f"](x) != task.metadata["wanted"]


def test_some_is_half_of_the_same_tasks(worlds: dict) -> None:
    shown = ["# (0)" in worlds["some"].reset(options={"task": task})[0] for task in worlds["some"].tasks]
    assert 15 < sum(shown) < 45
    fingerprints = [[task.fingerprint for task in env.tasks] for env in worlds.values()]
    assert fingerprints[0] == fingerprints[1] == fingerprints[2]
    with pytest.raises(UnknownNameError):
        make("mend?trace=half")


@pytest.mark.parametrize("trace", ["on", "off"])
def test_the_last_line_of_the_reply_counts(worlds: dict, trace: str) -> None:
    env = worlds[trace]

    def status(reply: str) -> Status:
        env.reset(options={"task": task})
        return env.step(reply)[4]["verdict"].status

    for task in env.tasks[:5]:
        solution, slip, broken = env.solution(task)[0], env.slip(task)[0], task.metadata["broken"]
        reason, line = solution.splitlines()
        assert eval(reason.partition("=")[0]) == int(reason.partition("=")[2])
        assert status(solution) is status(line) is status(f"  {line}  \n\n") is Status.CORRECT
        assert status("\n".join([*broken.splitlines()[:-1], f" {line}"])) is Status.CORRECT
        assert status(slip) is status(broken) is status(f"{line}\n{broken.splitlines()[-1]}") is Status.WRONG
        # What is right in the test alone is found out by the hidden inputs.
        assert status(f"return {task.metadata['wanted']}") is Status.PARTIAL
        assert status("return a+") in (Status.CRASHED, Status.UNPARSED, Status.WRONG)
        assert env.answer(solution) == env.answer(f"I think\n{line}") == line
