"""Trials: a task that failed is tried again with the lessons of the tries before."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.telling import lesson_prompt
from palaestra.evolution.updating.in_context.study import Study

__all__ = ["Story", "Trials", "feedback", "one_line", "said"]


@dataclass(frozen=True)
class Story:
    """The trials of one task.

    Attributes:
        task: The task.
        episodes: Its trials in order; the first failed.
        lessons: What was noted after each of them but the last.
    """

    task: Task
    episodes: tuple[Episode, ...]
    lessons: tuple[str, ...] = ()

    @property
    def solved(self) -> bool:
        """Whether the last trial was right."""
        return self.episodes[-1].correct


@dataclass(frozen=True)
class Trials:
    """After a failed trial the policy writes a lesson, and tries again with the last lessons told.

    What it is told of the failure is the judge's verdict, which knows what is right: an oracle, as in the paper.

    Source: Shinn et al. 2023, "Reflexion: language agents with verbal reinforcement learning".

    Attributes:
        most: Most trials of a task, the first included.
        buffer: Most lessons of a task that are told; the last ones stay.
    """

    most: int = 3
    buffer: int = 3

    def __post_init__(self) -> None:
        if self.most < 2 or self.buffer < 1:
            raise UsageError(f"most is at least 2 trials and buffer at least 1 lesson; got {self.most}, {self.buffer}.")

    def __call__(self, present: Context, episodes: Sequence[Episode], study: Study) -> list[Story]:
        """Return the stories of tasks whose first trial failed, one a task, in order.

        Args:
            present: What is told besides the lessons.
            episodes: First trials; those that were right begin no story.
            study: Where trials are played.
        """
        first = {episode.task: episode for episode in episodes if episode.valid and not episode.correct}
        stories = [Story(study.task(episode), (episode,)) for episode in first.values()]
        for trial in range(1, self.most):
            open_ = [number for number, story in enumerate(stories) if not story.solved]
            if not open_:
                break
            asked = [_question(stories[number]) for number in open_]
            answers = study.ask(asked)
            for number, lesson in zip(open_, answers, strict=True):
                if lesson is not None and (line := one_line(lesson)):
                    story = stories[number]
                    stories[number] = Story(story.task, story.episodes, (*story.lessons, line))
            again = [number for number in open_ if len(stories[number].lessons) == len(stories[number].episodes)]
            if not again:
                break
            beside = {stories[number].task.id: stories[number].lessons[-self.buffer :] for number in again}
            tried = study.play([stories[number].task for number in again], present, beside=beside, trial=trial)
            for number, episode in zip(again, tried, strict=True):
                story = stories[number]
                if episode.valid:
                    stories[number] = Story(story.task, (*story.episodes, episode), story.lessons)
                else:  # a trial that does not count leaves its lesson untried
                    stories[number] = Story(story.task, story.episodes, story.lessons[:-1])
        return stories


def feedback(episode: Episode) -> str:
    """Return what the judge says of an episode."""
    return episode.verdict.detail or str(episode.verdict.status)


def said(episode: Episode) -> str:
    """Return what the agent said in an episode; of several turns, with what the world answered between them."""
    first, *later = episode.turns
    return "\n".join([first.reply, *(f"> {turn.observation}\n{turn.reply}" for turn in later)])


def one_line(text: str) -> str:
    """Return the first line that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _question(story: Story) -> str:
    last = story.episodes[-1]
    return lesson_prompt(last.turns[0].observation, said(last), feedback(last))
