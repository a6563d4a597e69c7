"""What an audit asks of a judge: a task, a reply, and what must come of it."""

from dataclasses import dataclass
from enum import StrEnum

from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task

__all__ = ["Aim", "Case"]

# Longer than any judge of one reply should take, however busy the machine: a hang, not slowness, is what it tells.
HANG_SECONDS = 60.0


class Aim(StrEnum):
    """What a case is about."""

    ESCAPE = "escape"
    """Write, run or call what lies outside of the program's own scratch folder and process."""
    EXHAUST = "exhaust"
    """Use up time, memory, files, output or threads."""
    FORGE = "forge"
    """Pass without doing the task."""
    SURVIVE = "survive"
    """Leave a process or thread behind."""
    SECRETS = "read secrets"
    """Read expected values, the environment, or files that are none of the program's business."""
    NETWORK = "reach the network"
    """Connect to anything."""
    KILL = "kill the parent"
    """Take down the judge or a bystander, by a signal or by a crash."""
    TAMPER = "tamper"
    """Change the machinery that judges, now or for the next program."""
    HONEST = "honest"
    """An unusual program, and a right one."""
    EQUAL = "equal"
    """Another way to write the expected answer."""
    NEAR_MISS = "near miss"
    """An answer that looks like the expected one, and is another."""
    HOSTILE = "hostile"
    """Text that should stop or fool whoever looks for the answer in it."""
    GOLD = "gold"
    """A known solution of a shipped task, and known mistakes."""


@dataclass(frozen=True)
class Case:
    """One question to a judge, and the answer to it.

    Task and reply may hold the placeholders of `palaestra.envs.audit.surroundings`, such as `@FOLDER@`.

    Attributes:
        name: Unique within a corpus; small letters, digits and hyphens.
        aim: What it is about.
        task: What the reply answers.
        reply: What an agent would say.
        accept: Whether the verdict must be `correct`; None where only what happens outside counts.
        most: Highest reward that is honestly earned where the verdict must not be `correct`.
        seconds: A judgement that takes longer hangs.
    """

    name: str
    aim: Aim
    task: Task
    reply: str
    accept: bool | None = False
    most: float = 0.0
    seconds: float = HANG_SECONDS

    def __post_init__(self) -> None:
        if not self.name or set(self.name) - set("abcdefghijklmnopqrstuvwxyz0123456789-"):
            raise UsageError(f"A case's name is made of a-z, 0-9 and hyphens (files bear it), got {self.name!r}.")

    @property
    def format(self) -> str:
        """The task's reference format, such as `"humaneval"`; `"answer"` where the reference is one."""
        reference = self.task.reference
        return str(reference.get("format", "")) if isinstance(reference, dict) else "answer"
