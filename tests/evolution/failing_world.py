"""A world that fails when it is told to."""

from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict


class FailingWorld(TextEnv):
    """`right` is right, `break` is a failure that it reports, `raise` one that it does not."""

    def __init__(self, render_mode=None):
        super().__init__(TaskSet((Task(f"f{n}", f"Say right, {n}.", n) for n in range(40)), "failing"))

    def begin(self, task):
        return task.prompt

    def step(self, action):
        if action == "raise":
            raise OSError("the world broke")
        status = {"right": Status.CORRECT, "break": Status.INFRASTRUCTURE}.get(action, Status.WRONG)
        verdict = Verdict(float(status is Status.CORRECT), status, "the world broke" if action == "break" else "")
        return "", verdict.reward, True, False, self.outcome(verdict)
