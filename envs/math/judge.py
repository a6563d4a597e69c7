"""Judge mathematics: find the final answer, compare it exactly at once, or else with algebra at a safe distance."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.envs.math.answers import shown
from palaestra.envs.math.equality import decide
from palaestra.envs.math.extraction import How, extract
from palaestra.envs.math.library import Library, Said, refusal, shared_library
from palaestra.envs.math.reading import read
from palaestra.envs.task import Json, Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["MathJudge"]

_CORRECT = Verdict(1.0, Status.CORRECT)


@dataclass(frozen=True, slots=True)
class _Question:
    """Two answers that only algebra can compare."""

    given: str
    expected: str


@dataclass(frozen=True)
class MathJudge:
    r"""Compare a reply's final answer with the reference, as mathematics.

    The reference is a number or a text: an answer such as `\frac{1}{2}`, or a solution whose answer stands in
    `\boxed{}` or behind `####`. Statuses: CORRECT and WRONG; UNPARSED where the reply has no answer, or one that is
    longer or nested deeper than any answer; TIMEOUT and CRASHED where comparing it took too much time or memory;
    BROKEN_TASK where the reference cannot be read; INFRASTRUCTURE where our machinery failed. Judges may be called
    from any thread and share their processes.

    Attributes:
        seconds: Wall-clock that one comparison may take where it needs algebra.
        library: What does the algebra; None takes the one that all judges of this process share.
    """

    seconds: float = 3.0
    library: Library | None = None

    def __post_init__(self) -> None:
        if not 0 < self.seconds < 1e6:
            raise UsageError(f"MathJudge.seconds must lie between 0 and a million, got {self.seconds!r}.")

    def answer_of(self, reply: str) -> str | None:
        """Return the final answer as it is written, without white space: `1/2` and `0.5` are two."""
        found = extract(reply)
        return "".join(found.text.split()) or None if found else None

    def __call__(self, task: Task, reply: str) -> Verdict:
        """Judge a reply."""
        found = _examined(task, reply)
        return found if isinstance(found, Verdict) else self._algebra(found)

    def judge_many(
        self, pairs: Sequence[tuple[Task, str]], progress: Callable[[int], None] | None = None
    ) -> list[Verdict]:
        """Judge replies, those that need algebra on all processes at a time; equal questions are asked once.

        Args:
            pairs: Tasks with a reply each.
            progress: Told how many are judged, whenever that grows.

        Returns:
            A verdict for each pair, in order.
        """
        found = [_examined(task, reply) for task, reply in pairs]
        places: dict[_Question, list[int]] = {}
        for index, item in enumerate(found):
            if isinstance(item, _Question):
                places.setdefault(item, []).append(index)
        verdicts = {index: item for index, item in enumerate(found) if isinstance(item, Verdict)}
        if progress:
            progress(len(verdicts))
        if places:
            with ThreadPoolExecutor((self.library or shared_library()).workers) as pool:
                asked = {pool.submit(self._algebra, question): indices for question, indices in places.items()}
                for future in as_completed(asked):
                    verdicts.update(dict.fromkeys(asked[future], future.result()))
                    if progress:
                        progress(len(verdicts))
        return [verdicts[index] for index in range(len(found))]

    def equal(self, given: str, expected: str) -> bool:
        r"""Compare two answers without looking for them in a longer text; what cannot be compared is not equal.

        Args:
            given: An answer such as `x = \sqrt{2}`.
            expected: The known answer.

        Raises:
            InfrastructureError: If our own machinery failed.
        """
        decided = decide(given, expected)
        if decided is not None:
            return decided
        if refusal(given) or refusal(expected):
            return False
        return (self.library or shared_library()).compare(given, expected, self.seconds) is Said.EQUAL

    def _algebra(self, question: _Question) -> Verdict:
        try:
            said = (self.library or shared_library()).compare(question.given, question.expected, self.seconds)
        except InfrastructureError as error:
            return Verdict(0.0, Status.INFRASTRUCTURE, str(error))
        got = f"expected {shown(question.expected)}, got {shown(question.given)}"
        match said:
            case Said.EQUAL:
                return _CORRECT
            case Said.DIFFERENT:
                return Verdict(0.0, Status.WRONG, got)
            case Said.UNKNOWN_EXPECTED:
                return Verdict(0.0, Status.BROKEN_TASK, f"the reference {shown(question.expected)} cannot be read")
            case Said.TIMEOUT:
                return Verdict(0.0, Status.TIMEOUT, f"{got}: not compared within {self.seconds} s")
            case Said.CRASHED:
                return Verdict(0.0, Status.CRASHED, f"{got}: comparing them needs too much memory")


def _examined(task: Task, reply: str) -> Verdict | _Question:
    expected = _expected(task.reference)
    if not expected:
        return Verdict(0.0, Status.BROKEN_TASK, f"the reference {shown(str(task.reference))} is no answer")
    found = extract(reply)
    if found is None:
        return Verdict(0.0, Status.UNPARSED, f"no answer in {shown(reply[-60:])}")
    decided = decide(found.text, expected)
    if decided:
        return _CORRECT
    if decided is False:
        return Verdict(0.0, Status.WRONG, f"expected {shown(expected)}, got {shown(found.text)}")
    if reason := refusal(expected):
        return Verdict(0.0, Status.BROKEN_TASK, f"the reference {shown(expected)} is not read: {reason}")
    if reason := refusal(found.text):
        return Verdict(0.0, Status.UNPARSED, f"the answer {shown(found.text)} is not read: {reason}")
    return _Question(found.text, expected)


def _expected(reference: Json) -> str:
    """Return the answer of a reference, or an empty text where it has none."""
    if isinstance(reference, bool) or not isinstance(reference, int | float | str):
        return ""
    if isinstance(reference, float) and not math.isfinite(reference):
        return ""
    text = str(reference).strip()
    if "####" in text or r"\boxed" in text or r"\fbox" in text:
        found = extract(text)
        return found.text if found and found.how in (How.BOXED, How.HASHES) else ""
    return text if any(map(str.isalnum, text)) or read(text) else ""
