"""Write a crawler for a site from some of its pages, as an environment of several turns."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.question import judged
from palaestra.envs.reading.crawl.generator import SHOWN, name_site
from palaestra.envs.reading.crawl.judge import CrawlJudge, Credit, Said, read_reply, same_values
from palaestra.envs.reading.crawl.program import Step, TooLongError, refusal, shared_crawlers
from palaestra.envs.reading.crawl.shelf import FORMAT, folders, made_up, shared_shelf
from palaestra.envs.reading.crawl.site import Site, load_site
from palaestra.envs.reading.crawl.templates import TEMPLATES
from palaestra.envs.reading.crawl.wording import LABELLED, page_words, program_beside
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["PAGE", "Crawl"]

PAGE = "\nPage:\n"
"""What stands before a page in an observation."""
_ASK = (
    "Write a program of XPaths that extracts this from every page of a site: {}.\n"
    "Reply with lines `value: TEXT`, what it should give for the page below (a line for each value), and lines "
    "`xpath: XPATH`, the program: the last XPath extracts; each before it prunes the page to the smallest part that "
    "holds all it finds, and the next one is for that part alone."
)
_FOUND, _CHARS = 5, 80
_GUESSES = ("//h1", "//li", "//td", "//dd", "//span", "//body", "//a/text()", "//*[@class]")


class _Candidate(NamedTuple):
    """A program that came of one page, and what was named as that page's values."""

    page: int
    program: tuple[str, ...]
    values: tuple[str, ...]


class Crawl(TextEnv):
    """Write XPaths that extract one thing from every page of a site, from some of its pages.

    An episode shows `seeds` pages of a site, one after another. For each, the agent names the values that it sees and
    gives a program (an action sequence): lines `value: TEXT` and `xpath: XPATH`. The program is run on the page. If it
    gives what was named, the page is done. Else, up to `tries` replies a page, the agent is told what came, and the
    world steps back: the program's last XPath is taken to the parent, again and again, until it leads to a part of the
    page that holds the values that were named; that part alone is shown, and what leads to it begins the program then.
    Nobody is told the right values. At the end the programs of all pages are run on all pages shown, and the one that
    gives what was named on most of them (of equals, the shortest) is run on pages of the site that were not shown.

    Observations and actions are text. The last step of an episode pays 1 if the program extracts from the unseen pages
    what they hold and nothing else, and 0 otherwise, or with `credit="share"` the F1; all other steps pay 0. Statuses
    and the six ways a program can end are those of `CrawlJudge`; a reply without `xpath:` is UNPARSED, one whose XPaths
    are refused ILLEGAL, and both use up a try.

    `tries=1&seeds=1` is the plain one: a page, a reply. `back=false` tells what came and prunes nothing.

    Pages lie in files. Those of `path` are a person's own; all others are made up, by template: `cards` (an element
    with a class), `table`, `definitions`, `labels`, `microdata`. XPaths run in a process apart, without network and
    files. Tasks tell `template` and `level` in their metadata, and `difficulty`, which is the level. A task is a site,
    so what is held out are other sites.

    Args:
        path: Folder of a site, or of folders of sites, see `palaestra.envs.reading.crawl.site`.
        templates: Some of `cards,table,definitions,labels,microdata`; all when empty.
        level: 1 to 3, see `palaestra.envs.reading.crawl.generator.LEVELS`; 0 is all of them.
        seeds: How many pages are shown, 1 to 5.
        tries: Most replies for each of them.
        back: Whether the world steps back.
        credit: `"all"` or `"share"`.
        chars: Most characters of a page that are shown.
        size: How many sites.
        seed: Seed of the sites.
        tasks: Takes the place of all sites.
        render_mode: None or `"ansi"`.

    Versions: v0.

    Source: Huang et al. 2024, "AutoCrawler: a progressive understanding web agent for web crawler generation".
    """

    metadata = {**TextEnv.metadata, "instant": False}  # noqa: RUF012 (Gymnasium declares it on the instance)

    def __init__(
        self,
        path: str | Path = "",
        *,
        templates: str = "",
        level: int = 2,
        seeds: int = 3,
        tries: int = 3,
        back: bool = True,
        credit: str = "all",
        chars: int = 8_000,
        size: int = 1_000,
        seed: int = 0,
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        for name, value, most in (("seeds", seeds, SHOWN), ("tries", tries, 20), ("chars", chars, 80_000)):
            if not 1 <= value <= most:
                raise UsageError(f"{name} must be from 1 to {most}, got {value}.")
        if tasks is None:
            tasks = _of_files(Path(path)) if path else _made_up(templates, level, size, seed)
        super().__init__(tasks, render_mode=render_mode)
        self.judge = CrawlJudge(cast(Credit, credit))
        self.seeds, self.tries, self.back, self.chars = seeds, tries, back, chars
        self._over = True

    def begin(self, task: Task) -> str:
        """Show the first page."""
        self._site = shared_shelf().of(task)
        self._number, self._over = -1, False
        self._candidates: tuple[_Candidate, ...] = ()
        return task.prompt + self._turned()

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Run a program on the page that is shown."""
        if self.task is None or self._over:
            raise UsageError("There is no open page: call reset() before step().")
        said = read_reply(action)
        verdict = self._refused(said)
        if verdict is not None:
            self._left -= 1
            self.observation, done = f"Not run: {verdict.detail}.", self._left == 0
        else:
            done = self._tried(said)
        if done and self._last is not None:
            self._candidates += (self._last,)
        if done and self._number + 1 < min(self.seeds, len(self._site.shown)):
            self.observation += f"\nNow another page of the same site.{self._turned()}"
        elif done:
            self._over = True
            verdict = judged(self._judged, self.task, action) if self._candidates or verdict is None else verdict
            self.observation = f"On unseen pages: {verdict.detail or verdict.status}."
        reward = verdict.reward if verdict is not None and self._over else 0.0
        return self.observation, reward, self._over, False, self.outcome(verdict)

    def _refused(self, said: Said) -> Verdict | None:
        if not said.program:
            return Verdict(0.0, Status.UNPARSED, "there is no line that begins with `xpath:`")
        why = refusal((*self._kept, *said.program))
        return Verdict(0.0, Status.ILLEGAL, why) if why else None

    def _turned(self) -> str:
        """Turn to the next page and show it."""
        self._number += 1
        self._left = self.tries
        self._kept: tuple[str, ...] = ()
        self._last: _Candidate | None = None
        return self._shown()

    def _shown(self) -> str:
        text = shared_crawlers().show(self._page, self._kept)
        cut = f"\n[{len(text) - self.chars} characters left out]" if len(text) > self.chars else ""
        return PAGE + text[: self.chars] + cut

    @property
    def _page(self) -> str:
        return self._site.shown[self._number].html

    def _tried(self, said: Said) -> bool:
        """Run a program on the page; return whether that is all for this page."""
        try:
            back = self.back and self._left > 1
            came = shared_crawlers().step(self._page, self._kept, said.program, said.values, back=back)
        except TooLongError as error:
            came = Step(str(error), False, ())
        self._left -= 1
        done = came.right or self._left == 0 or (not said.values and not isinstance(came.found, str))
        self._last = _Candidate(self._number, (*self._kept, *said.program), said.values)
        self.observation = f"It gives {_listed(came.found)}."
        if done:
            return True
        self.observation += f" You named {_listed(said.values)}. Tries left for this page: {self._left}."
        if came.kept and not refusal((*self._kept, *came.kept, "//*")):
            self._step_back((*self._kept, *came.kept))
        return False

    def _step_back(self, kept: tuple[str, ...]) -> None:
        """Prune the page; XPaths that take too long are not kept, so that no reply can break the world."""
        before, self._kept = self._kept, kept
        try:
            shown = self._shown()
        except TooLongError:
            self._kept = before
            return
        self.observation += (
            " Going back up from there, this part of the page holds what you named. Write a program for it alone:"
            + shown
        )

    def _judged(self, task: Task, reply: str) -> Verdict:
        del task, reply
        return self.judge.executed(self._site, _synthesised(self._candidates, self._site))

    def answer(self, action: str) -> str | None:
        """Return the program of a reply."""
        return self.judge.answer_of(action)

    def solution(self, task: Task) -> tuple[str, ...] | None:
        """Return what names each page's values and gives a program that is known, for sites that were made up."""
        site = shared_shelf().of(task)
        if not site.program:
            return None
        program = [f"xpath: {xpath}" for xpath in site.program]
        pages = site.shown[: self.seeds]
        return tuple("\n".join([*(f"value: {value}" for value in page.values), *program]) for page in pages)

    def demonstration(self, task: Task) -> tuple[str, ...] | None:
        """Return its solution; what is seen need not be named where there is one reply to one page."""
        solution = self.solution(task)
        if solution is None or self.tries * self.seeds > 1:
            return solution
        return tuple(reply[reply.index("xpath: ") :] for reply in solution)

    def slip(self, task: Task) -> tuple[str] | None:
        """Return the program of someone who takes every plain page for a table; None where pages are not that plain."""
        about = task.metadata
        if about.get("level") != 1 or about.get("template") not in LABELLED[1:] or self.tries * self.seeds > 1:
            return None
        several = shared_shelf().of(task).program[-1].endswith("/a")
        label = task.prompt.partition(_ASK.partition("{}")[0])[2].partition(" of the ")[0]
        return (f"xpath: {program_beside(LABELLED[0], label, several=several)}",)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of plain pages with labels and of programs for them, where all pages are such."""
        plain = all(task.metadata.get("level") == 1 and task.metadata["template"] in LABELLED for task in self.tasks)
        return (*_ASK.split("{}"), *page_words()) if plain else ()

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw an XPath."""
        return f"xpath: {generator.choice(_GUESSES)}"


def _synthesised(candidates: Sequence[_Candidate], site: Site) -> tuple[str, ...]:
    """Return the program that gives what was named on most pages shown; of equals, the shortest, then the first."""
    programs = list(dict.fromkeys(candidate.program for candidate in candidates))
    if len(programs) == 1:
        return programs[0]
    pages = [site.shown[candidate.page].html for candidate in candidates]
    agreed = []
    for program in programs:
        try:
            (found,) = shared_crawlers().run([program], pages)
        except TooLongError:
            found = ["it took too long"] * len(pages)
        named = zip(found, candidates, strict=True)
        agreed.append(sum(same_values(one, candidate.values) for one, candidate in named))
    return max(zip(agreed, programs, strict=True), key=lambda pair: (pair[0], -len(pair[1])))[1]


def _listed(found: Sequence[str] | str) -> str:
    if isinstance(found, str):
        return f"nothing: {found}"
    if not found:
        return "nothing"
    texts = [repr(text if len(text) <= _CHARS else text[:_CHARS] + "…") for text in found[:_FOUND]]
    return ", ".join(texts) + (f" and {len(found) - _FOUND} more" if len(found) > _FOUND else "")


def _made_up(templates: str, level: int, size: int, seed: int) -> TaskSet:
    chosen = [name.strip() for name in templates.split(",") if name.strip()]
    for name in chosen:
        if name not in TEMPLATES:
            raise UnknownNameError("template", name, TEMPLATES)
    used = tuple(name for name in TEMPLATES if name in chosen) or tuple(TEMPLATES)
    levels = (level,) if level else (1, 2, 3)

    def make(generator: np.random.Generator) -> Task:
        template, at = str(generator.choice(used)), int(generator.choice(levels))
        reference = made_up(template, int(generator.integers(2**40)), at)
        site, field = name_site(*(reference[key] for key in ("template", "site", "level")))  # type: ignore[arg-type]
        about: dict[str, Json] = {"template": template, "level": at, "difficulty": at}
        return Task("", f"Site {site}. {_ASK.format(field)}", reference, about)

    name = f"crawl({', '.join(used)}; {'all levels' if not level else f'level {level}'})"
    return TaskSet.generated(make, size=size, seed=seed, name=name)


def _of_files(path: Path) -> TaskSet:
    tasks = []
    for folder in folders(path):
        site = load_site(folder)
        # Whether it is held out must not depend on where it lies.
        reference, about = {"format": FORMAT, "content": site.digest}, {"folder": str(folder.resolve())}
        prompt = f"Site {site.name}. {_ASK.format(site.field)}"
        tasks.append(Task(f"{path.name}/{folder.name}", prompt, reference, about))
    return TaskSet(tasks, path.name)
