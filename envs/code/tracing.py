"""The values of variables as comments, beside the lines that set them.

    for n in numbers:  # (2) n=3; (5) n=4
        total += n     # (3) total=3; (6) total=7

Source of the form: Ni et al. 2024, "NExT: teaching large language models to reason about code execution". The numbers
count the steps of the execution; of a line that was run more often than is shown, the first steps and the last.
"""

import io
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from palaestra.envs.sandbox import CallJob, Limits, Returned, Sandbox, shared_sandbox
from palaestra.envs.sandbox.job import Value

__all__ = ["annotated", "with_notes"]

STEPS = 300
"""Lines after which a program is followed no further."""
WIDTH = 40
"""Longest text of one value, in characters."""
TIMES = 3
"""Steps shown of one line."""
CHARACTERS = 6_000
"""Most characters of all comments together."""

# Long enough for the steps above; a program that sleeps or waits is left where it is.
_SECONDS = 1.0
_LIMITS = Limits(cpu_seconds=2.0, wall_seconds=4.0)
_NOTE_CHARS = 200
_TRACER = Path(__file__).with_name("tracer.py").read_text(encoding="utf-8")


def annotated(program: str, entry_point: str, arguments: Sequence[Value], sandbox: Sandbox | None = None) -> str:
    """Run a program in the sandbox and return its source with the values of its variables as comments.

    The program is followed for `STEPS` lines, also when it never ends. What a hostile program does to its own trace is
    its own loss: the comments are bounded in every way and may then be wrong, or missing.

    Args:
        program: Python source, of any kind.
        entry_point: The function to call, `Class.method` on a new instance, or `""` to run the whole program.
        arguments: Plain data for the function; for the whole program, its standard input as the only one.
        sandbox: Where it runs; None takes the process-wide one.

    Returns:
        The same program, by its syntax tree, with comments; without any where it cannot be run or traced at all.

    Raises:
        InfrastructureError: If our own machinery failed.
    """
    call = (program, entry_point, list(arguments), STEPS, WIDTH, _SECONDS)
    outcome = (sandbox or shared_sandbox()).run(CallJob(_TRACER, "trace", [call], _LIMITS))
    result = outcome.results[0] if outcome.results else None
    return with_notes(program, _read(result.value) if isinstance(result, Returned) else ())


def _read(value: Value) -> list[tuple[int, int, str]]:
    """Take what has the form of notes out of what the program's process returned."""
    if not isinstance(value, list):
        return []
    return [
        (note[0], note[1], " ".join(note[2].split())[:_NOTE_CHARS])
        for note in value[:STEPS]
        if isinstance(note, tuple)
        and len(note) == 3
        and (type(note[0]), type(note[1]), type(note[2])) == (int, int, str)
    ]


def with_notes(program: str, notes: Iterable[tuple[int, int, str]]) -> str:
    """Write notes (step, line, text) behind the lines of a program, bounded by `TIMES` and `CHARACTERS`.

    Where a comment would change the program (inside a text of several lines, before a continued line) it stands behind
    the next line where it does not.
    """
    lines = program.split("\n")
    behind = _comment_lines(program)
    by_line: defaultdict[int, list[str]] = defaultdict(list)
    for step, line, text in notes:
        if line in behind:
            by_line[behind[line]].append(f"({step}) {text}".rstrip())
    left = CHARACTERS
    for line in sorted(by_line):
        texts = by_line[line]
        if len(texts) > TIMES:
            texts = [*texts[: TIMES - 1], "…", texts[-1]]
        comment = f"  # {'; '.join(texts)}"
        left -= len(comment)
        if left < 0:
            break
        lines[line - 1] = lines[line - 1].rstrip() + comment
    return "\n".join(lines)


def _comment_lines(program: str) -> dict[int, int]:
    """Return for each line the first one from it on that a comment can end; nothing for what is no Python."""
    ends: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(program).readline):
            if token.type in (tokenize.NEWLINE, tokenize.NL):
                ends.add(token.start[0])
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError):
        return {}
    behind: dict[int, int] = {}
    end = 0
    for line in range(max(ends, default=0), 0, -1):
        end = line if line in ends else end
        behind[line] = end
    return behind
