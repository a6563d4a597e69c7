"""What one who has answered is asked and told about his answer, and how he says that it may stand.

The words are those of instructions to a language model; worlds to which small policies are born use the same, each as
one token, so that one set of prompts serves both.
"""

from collections.abc import Sequence
from typing import Final

__all__ = [
    "ASK",
    "EXPLAIN",
    "IT_STANDS",
    "OTHERS",
    "REVISE",
    "SOMETHING_WRONG",
    "WORDS",
    "lets_stand",
    "others_said",
    "told",
]

ASK: Final = "Review your answer and say what is wrong with it. If nothing is wrong, say: it stands."
"""Asks for one's own opinion (after Madaan et al. 2023 and Huang et al. 2023)."""
EXPLAIN: Final = "Explain your program line by line, and say what it does that it should not do."
"""Asks for an explanation of one's own program (after Chen et al. 2023)."""
IT_STANDS: Final = "it stands"
"""Says that nothing need be changed."""
SOMETHING_WRONG: Final = "something is wrong"
"""The shortest way to say that something need be."""
REVISE: Final = "Answer again, in the same form as before."
"""Asks for another answer after what was said."""
OTHERS: Final = "Others answered:"
"""Stands before the answers of others (after Du et al. 2023)."""
WORDS: Final = (
    ASK,
    EXPLAIN,
    IT_STANDS,
    SOMETHING_WRONG,
    REVISE,
    f"That is not correct. {REVISE}",
    f"\n{REVISE}",
    f"{OTHERS}\n",
    "Correct.",
    "That is not correct.",
)
"""What a small policy reads and says as one token each."""


def lets_stand(review: str, stop: str = IT_STANDS) -> bool:
    """Return whether a review ends the revising: its last line holds the words `stop`, whatever their case."""
    lines = [line for line in review.lower().splitlines() if line.strip()]
    return bool(stop) and bool(lines) and stop.lower() in lines[-1]


def told(said: str, request: str = REVISE) -> str:
    """Return what is told of an answer, if anything, with what is asked then."""
    return f"{said}{'' if not said or said.endswith(chr(10)) else ' '}{request}"


def others_said(answers: Sequence[str]) -> str:
    """Return what others have answered, with the request for another answer."""
    return "\n".join((OTHERS, *answers, REVISE))
