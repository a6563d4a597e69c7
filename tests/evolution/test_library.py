"""A library grown by trying: what was found in some tasks is put together for others, which nobody has solved."""

import re

import numpy as np
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.envs import make
from palaestra.envs.code.toolbox import OPERATIONS, TOOLS, toolbox
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent
from scripted_server import Said, chat

ENV = "toolbox?box=1"
SMALL = {"acquire.sample.groups": 12, "acquire.sample.attempts": 2, "evaluate.tasks": 40, "update.validate.tasks": 12}
SMALL |= {"steps": 5, "evaluate_every": 5}
_DEFINITION = re.compile(r"^def ([a-z]{2})\(x\): return (.+)$", re.MULTILINE)


def reader(seed):
    """Writes out the tools that it is told, and guesses the others among four operations."""
    generator, box = np.random.default_rng(seed), toolbox(1)

    def script(heard):
        prompt = heard.body["messages"][-1]["content"]
        told, expression = dict(_DEFINITION.findall(prompt)), prompt.rpartition(" f(x) = ")[2]
        does = {}
        for tool in (tool for tool in TOOLS if f"{tool}(" in expression):
            near = OPERATIONS.index(box[tool]) + generator.integers(4)
            does[tool] = told.get(tool) or OPERATIONS[near % len(OPERATIONS)]
        tools = "".join(f"def {tool}(x): return {what}\n" for tool, what in does.items())
        return Said(chat(f"```python\n{tools}def f(x): return {expression}\n```"))

    return script


def test_what_was_found_by_trying_solves_tasks_that_are_held_out(served, tmp_path):
    result = evolve(
        find_recipe("voyager", SMALL),
        objective=Objective("tools", (ENV,)),
        policy=f"http:m@{served(reader(0)).url}?concurrency=16",
        seed=0,
        directory=tmp_path / "run",
        view=Silent(),
        settings=SMALL,
    )
    assert result.score_before.accuracy.value < 0.4
    assert result.score_after.accuracy.value > 0.8
    with Run.open(tmp_path / "run", read_only=True) as run:
        _, checkpoint = run.latest_checkpoint()
        skills = Context.load(checkpoint).memory.entries(Kind.SKILL)
    held_out = {task.prompt: task for task in make(ENV).tasks.split().test}
    assert skills
    assert not {skill.key for skill in skills} & set(held_out), "the answers of held-out tasks are in no library"
    # What was verified holds for other tasks, too.
    found = dict(definition for skill in skills for definition in _DEFINITION.findall(skill.text))
    assert found.items() <= toolbox(1).items()
