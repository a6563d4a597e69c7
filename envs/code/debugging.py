"""Find a function from three examples, and again after the answer was run on them."""

from palaestra.envs.code.synthesis import Synthesis
from palaestra.envs.feedback import REVISE, told
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info

__all__ = ["Debug"]


class Debug(Synthesis):
    """Continue `f(0)=1 f(3)=7 f(5)=11 f(x)=`; who fails an example is told which and may mend the answer.

    The tasks are those of `palaestra/Synthesis-v0`, and so is the reward, which the last answer earns on all tests.
    What is told between two answers comes of the examples alone (`tried_out`): nothing is learned of the hidden tests.
    A careless demonstrator looks at the first example alone, as there, and mends what he is told has failed.

    Args:
        level: As in `palaestra/Synthesis-v0`.
        size: How many tasks.
        seed: Seed of the tasks.
        tries: How many answers an episode allows.
        credit: `"all"` or `"share"`.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        level: int = 1,
        size: int = 4_000,
        seed: int = 0,
        tries: int = 2,
        credit: str = "all",
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            level=level, size=size, seed=seed, tries=tries, credit=credit, tasks=tasks, render_mode=render_mode
        )

    @property
    def words(self) -> tuple[str, ...]:
        """What is told of a trial, piece by piece."""
        passed = tuple(
            f"That is not correct. {count} of 3 tests passed. The first that failed:\ninput: " for count in range(3)
        )
        return (*passed, "\nexpected: ", "\nactual: ", f"\n{REVISE}", " f(", ")=")

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Run an answer on the examples; judge it where it stands up to them, or is the last."""
        task = self.task
        if task is not None and self._left > 1:
            found = self.tried_out(task, action)
            if found is not None:
                self._left -= 1
                self.observation = told(found)
                return self.observation, 0.0, False, False, self.outcome(self.judgement(task, action))
            self._left = 1
        return super().step(action)

    def slip(self, task: Task) -> tuple[str, ...] | None:
        """Return the answer of someone who looks at the first example alone, and how he mends it."""
        first, right = super().slip(task), self.solution(task)
        return first if first is None or right is None or first == right else (*first, *right)
