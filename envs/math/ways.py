"""Sums that can be worked out in several ways: many lead to the right answer, a careless one to a wrong one."""

from collections.abc import Iterator

from palaestra.envs.errors import UsageError
from palaestra.envs.math.arithmetic import LEVELS, Arithmetic, arithmetic_tasks
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task, TaskSet

__all__ = ["Ways"]


class Ways(Arithmetic):
    """Answer `37 + 48 = ?` with a short working, such as `30+40=70 7+8=15 85`.

    The last number counts, as in `palaestra/Arithmetic-v0`, whose tasks these are. Demonstrators take the sum apart by
    the tens and the ones of both numbers, or add the second number's parts one after the other, from either end; one,
    who comes more often than each of those, adds column by column and forgets to carry. So the single most probable
    reply of a policy born to this world is careless, while most of its replies agree on what is right.

    Args:
        careless: Share of demonstrations that forget the carries.
        size: Most tasks.
        seed: Seed of the tasks.
        tasks: Takes the place of generated tasks.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        *,
        careless: float = 0.4,
        size: int = 10_000,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if not 0.0 <= careless < 1.0:
            raise UsageError(f"careless is a share below 1, got {careless}.")
        sums = arithmetic_tasks(LEVELS[2], size=size, seed=seed)
        name = f"ways({sums.name}, {careless:g} careless)"
        if tasks is None:
            tasks = TaskSet(_worked(sums, careless, seed, name), name, endless=sums.endless)
        super().__init__(tasks=tasks, render_mode=render_mode)

    @property
    def words(self) -> tuple[str, ...]:
        """The signs of sums."""
        return (" + ", " = ?", "Correct.", "That is not correct.")

    def slip(self, task: Task) -> None:
        """Nothing: the careless way is among the demonstrations."""
        del task

    def demonstration(self, task: Task) -> tuple[str]:
        """Return the working of a demonstrator, right or wrong."""
        said = task.metadata.get("said")
        return (said,) if isinstance(said, str) else self.solution(task)

    def odds(self, task: Task) -> float:
        """Return how probable the demonstration is."""
        return float(str(task.metadata.get("odds", 1.0)))


def _worked(sums: TaskSet, careless: float, seed: int, name: str) -> Iterator[Task]:
    generator = derive_generator(seed, "tasks", name)
    for task in sums:
        one, other = (int(number) for number in task.prompt.removesuffix(" = ?").split(" + "))
        ways = _right(one, other)
        if generator.random() < careless:
            said, odds = _columns(one, other), careless
        else:
            said, odds = ways[int(generator.integers(len(ways)))], (1 - careless) / len(ways)
        yield Task(task.id, task.prompt, task.reference, {"said": said, "odds": odds})


def _right(one: int, other: int) -> tuple[str, ...]:
    """Return the right ways to work a sum out, each beginning otherwise."""
    (tens, ones), (more_tens, more_ones) = divmod(one, 10), divmod(other, 10)
    whole = one + other
    return (
        f"{10 * tens}+{10 * more_tens}={10 * (tens + more_tens)} {ones}+{more_ones}={ones + more_ones} {whole}",
        f"{one}+{10 * more_tens}={one + 10 * more_tens} +{more_ones}={whole} {whole}",
        f"+{more_ones}={one + more_ones} +{10 * more_tens}={whole} {whole}",
    )


def _columns(one: int, other: int) -> str:
    """Return the working of someone who adds column by column and forgets to carry."""
    (tens, ones), (more_tens, more_ones) = divmod(one, 10), divmod(other, 10)
    low, high = ones + more_ones, tens + more_tens
    return f"{ones}+{more_ones}={low} {tens}+{more_tens}={high} {10 * (high % 10) + low % 10}"
