"""How what an agent was told stands before a task, and how it is asked for what it learned from a try.

The forms stand here so that a world can raise newborn policies to read and to write them.
"""

from collections.abc import Sequence

__all__ = [
    "FAILED",
    "LESSON",
    "NOTES",
    "OPERATIONS",
    "REFLECTION",
    "SKILLS",
    "SOLVED",
    "lesson_prompt",
    "operation_prompt",
    "reflection_prompt",
    "told",
]

NOTES = "Notes:\n"
SOLVED = "Solved before:\n"
SKILLS = "Programs that work:\n"
_BETWEEN = "\n\n"

FAILED = ("A try at this task failed.\nTask: ", "\nReply: ", "\nThe judge: ")
LESSON = "\nOne short note, in one line, that would have helped:"
OPERATIONS = (
    "\nSolved by: ",
    "\nChange the notes, one operation a line: ADD: a note that holds for other tasks too, EDIT 1: what note 1 should "
    "say, UPVOTE 1 if it helped, DOWNVOTE 1 if it misled.",
)
REFLECTION = (
    "Somebody is told before every task:\n",
    "(nothing)",
    "\nThis is how tasks went with it.",
    "\nTask: ",
    "\nWrite what to tell before every task from now on, whole: keep what holds, mend what misled, add every fact and "
    "way that the judge's words teach.",
)


def told(
    observation: str,
    *,
    instructions: str = "",
    notes: Sequence[str] = (),
    skills: Sequence[str] = (),
    solved: Sequence[str] = (),
) -> str:
    """Return an observation behind what an agent is told; the observation alone, where that is nothing."""
    parts = [instructions] if instructions else []
    for head, entries, between in ((NOTES, notes, "\n"), (SKILLS, skills, "\n"), (SOLVED, solved, "\n")):
        if entries:
            parts.append(head + between.join(entries))
    return _BETWEEN.join([*parts, observation])


def lesson_prompt(task: str, reply: str, feedback: str) -> str:
    """Ask for a lesson from a failed try.

    Source: Shinn et al. 2023, "Reflexion: language agents with verbal reinforcement learning".
    """
    return _failure(task, reply, feedback) + LESSON


def operation_prompt(notes: Sequence[str], task: str, reply: str, feedback: str, solved: str) -> str:
    """Ask for operations on numbered notes, given a failed and a successful try at the same task.

    Source: Zhao et al. 2024, "ExpeL: LLM agents are experiential learners".
    """
    listed = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    return told(_failure(task, reply, feedback) + solved.join(OPERATIONS), notes=listed)


def reflection_prompt(instructions: str, tries: Sequence[tuple[str, str, str]]) -> str:
    """Ask for other instructions, given tasks, replies and the judge's words.

    Source: Agrawal et al. 2025, "GEPA: reflective prompt evolution can outperform reinforcement learning".
    """
    head, nothing, went, task, request = REFLECTION
    shown = (f"{task}{asked}{FAILED[1]}{reply}{FAILED[2]}{feedback}" for asked, reply, feedback in tries)
    return "".join([head, instructions or nothing, went, *shown, request])


def _failure(task: str, reply: str, feedback: str) -> str:
    return "".join(part for pair in zip(FAILED, (task, reply, feedback), strict=True) for part in pair)
