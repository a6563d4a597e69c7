"""Keys by content: what is the same is found wherever it lies, and what differs is not."""

import importlib
import json
import shutil
from pathlib import Path

import pytest
from palaestra.agents.memory.context import Context
from palaestra.agents.scripted import ConstantAgent, RandomAgent
from palaestra.agents.specs import load_agent
from palaestra.envs import catalogue
from palaestra.envs.math.arithmetic import Arithmetic
from palaestra.envs.math.environment import Math
from palaestra.envs.reading.crawl.site import Page, Site, save_site
from palaestra.envs.task import Task
from palaestra.envs.text import TextWorld
from palaestra.evolution.benchmark import code_version as versions
from palaestra.evolution.benchmark.cache import Cache, Cost
from palaestra.evolution.benchmark.code_version import code_version
from palaestra.evolution.benchmark.identity import key_of, policy_identity, task_key, world_identity

ANYBODY = RandomAgent()


def checkpoint(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_text("{}")
    (folder / "loop.json").write_text(str(folder))  # a run's own state, which no model is loaded from
    return folder


def key(spec: str) -> str:
    return key_of(policy_identity(spec, ANYBODY))


def test_a_checkpoint_is_known_by_its_files(tmp_path: Path) -> None:
    one = checkpoint(tmp_path / "one")
    other = Path(shutil.copytree(one, tmp_path / "runs" / "checkpoints" / "step-000003"))
    assert key(f"local:{one}") == key(f"local:{other}") == key(f"run:{tmp_path / 'runs'}@3")
    (other / "loop.json").write_text("other")
    assert key(f"local:{one}") == key(f"local:{other}")
    assert key(f"local:{one}") != key(f"local:{one}?stop=%0A")
    (other / "model.safetensors").write_bytes(b"others!")
    assert key(f"local:{one}") != key(f"local:{other}")


def told_run(place: Path, policy: str, instructions: str) -> str:
    """Make what a run in context leaves: whom it began with, and what that is told."""
    folder = place / "checkpoints" / "step-000001"
    folder.mkdir(parents=True)
    Context(instructions).save(folder)
    (place / "run.json").write_text(json.dumps({"config": {"policy": policy, "seed": 0}}))
    return f"run:{place}"


def test_a_run_in_context_is_who_is_told_and_what(tmp_path: Path) -> None:
    def told(spec: str) -> str:
        return key_of(policy_identity(spec, load_agent(spec)))

    a = told_run(tmp_path / "a", "scripted:random", "Be brief.")
    b = told_run(tmp_path / "b", "scripted:random", "Think first.")
    c = told_run(tmp_path / "c", "scripted:oracle", "Be brief.")
    again = told_run(tmp_path / "again", "scripted:random", "Be brief.")
    later = told_run(tmp_path / "later", b, "Be brief.")
    assert told(a) == told(again) == told(later)
    assert len({told(a), told(b), told(c)}) == 3


def test_adapters_are_known_with_their_base(tmp_path: Path) -> None:
    made = []
    for name, weights in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        base = checkpoint(tmp_path / name / "base", weights)
        adapters = tmp_path / name / "adapters"
        adapters.mkdir()
        (adapters / "adapter_model.safetensors").write_bytes(b"adapters")
        (adapters / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
        made.append(key(f"local:{adapters}"))
    assert made[0] == made[1] != made[2]
    # How they weigh and what a prompt looks like count as much as their tensors.
    adapters = tmp_path / "a" / "adapters"
    about = {"base_model_name_or_path": str(tmp_path / "a" / "base")}
    (adapters / "adapter_config.json").write_text(json.dumps(about | {"lora_alpha": 64}))
    made.append(key(f"local:{adapters}"))
    (adapters / "chat_template.jinja").write_text("{{ messages }}")
    made.append(key(f"local:{adapters}"))
    assert len(set(made)) == 4


def test_a_served_model_is_its_name_and_address() -> None:
    spec = "http:m@http://127.0.0.1:8000/v1"
    assert key(spec) == key(f"{spec}?price_in=1&price_out=2&budget=3&retries=0&timeout=5&key=A")
    assert len({key(spec), key("http:n@http://127.0.0.1:8000/v1"), key(f"{spec}?sampling=server")}) == 3


def test_scripted_agents_are_their_words_and_their_code() -> None:
    one, other = (policy_identity(f"scripted:constant?text={t}", ConstantAgent(t)) for t in "ab")
    assert key_of(one) != key_of(other)
    assert one["code"]["class"] == "palaestra.agents.scripted:ConstantAgent"


def test_a_world_is_its_id_its_settings_and_what_its_files_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of(spec: str) -> str:
        return key_of(world_identity(spec, catalogue.make(spec)))

    assert of("arithmetic") == of("palaestra/Arithmetic-v0")
    assert of("arithmetic?digits=1") != of("arithmetic")
    row = '{"prompt": "1 + 1", "answer": 2}\n'
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_text(row * (2 if name == "c" else 1))
    a, b, c = (of(f"Question?path={tmp_path / name}.jsonl") for name in "abc")
    assert a == b != c
    monkeypatch.chdir(tmp_path)
    found = set()
    for price in ("1 €", "2 €"):
        save_site(Site("s", "price", (Page("<p>1</p>", ("1",)),), (Page(f"<p>{price}</p>", (price,)),)), tmp_path / "s")
        found.add(of("crawl?path=s"))
    assert len(found) == 2, "a folder without a slash in its name"


def test_a_world_that_a_file_defines_is_known_by_the_file(tmp_path: Path) -> None:
    def of(text: str) -> str:
        (tmp_path / "task.py").write_text(text)
        return key_of(world_identity(f"inspect:{tmp_path}/task.py@sums", catalogue.make("arithmetic")))

    assert of("one") == of("one") != of("two")


def test_of_a_world_in_words_the_code_of_the_other_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
import gymnasium
from gymnasium import spaces


class World(gymnasium.Env):
    observation_space = action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 0, float(action), True, False, {}
"""
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "spoken_here.py"
    module.write_text(source)
    importlib.invalidate_caches()
    world = importlib.import_module("spoken_here").World
    found = []
    for text in (source, source.replace("float(action)", "1.0 - action")):
        module.write_text(text)
        versions._source.cache_clear()
        found.append(key_of(world_identity("mine", TextWorld(world))))
    assert found[0] != found[1]
    for name, also in (("kuhn_poker", "KuhnPoker"), ("pettingzoo:tictactoe_v3", "pettingzoo"), ("nim", "nim")):
        classes = [code["class"] for code in world_identity(name, catalogue.make(name))["spoken_for"]]
        assert len(classes) > 1
        assert any(also in one for one in classes), classes


def test_a_task_is_all_but_its_name() -> None:
    task = Task("a", "1 + 1", 2, {"difficulty": 1})
    assert task_key(task) == task_key(Task("b", "1 + 1", 2, {"difficulty": 1}))
    assert task_key(task) != task_key(Task("a", "1 + 1", 2, {"difficulty": 2}))


def test_the_code_of_a_judge_is_all_that_it_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "judging_here"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "world.py").write_text("class World:\n    def f(self):\n        import judging_here.rules\n")
    (package / "rules.py").write_text("LIMIT = 1\n")
    (package / "other.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    world = importlib.import_module("judging_here.world").World
    first = code_version(world)["digest"]
    (package / "other.py").write_text("changed = True\n")
    assert code_version(world)["digest"] == first
    # Also what is imported late.
    (package / "rules.py").write_text("LIMIT = 2\n")
    assert code_version(world)["digest"] != first


def test_our_judges_are_known_down_to_what_runs_elsewhere() -> None:
    of_math = code_version(Math)
    assert "math-verify" in str(of_math["packages"]) or "math_verify" in of_math["packages"]
    source = versions._source("palaestra.envs.sandbox.session")
    assert source is not None
    assert any(name.endswith("sandbox.inside.worker") for name in versions._beneath(source))
    assert code_version(Arithmetic)["digest"] != of_math["digest"]


def test_costs_add_up_and_divide() -> None:
    both = Cost(2.0, 10, 4, 0.5, 1) + Cost(2.0, 10, 4, None, 1)
    assert (both * 0.5).as_json() == {
        "seconds": 2.0, "tokens_in": 10.0, "tokens_out": 4.0, "spend": 0.25, "requests": 1.0, "tokens_per_second": 2.0,
    }  # fmt: skip
    assert (Cost() + Cost()).spend is None


def test_an_empty_cell_is_no_obstacle(tmp_path: Path) -> None:
    with Cache(tmp_path).cell("ab" * 16, {"what": "x"}) as cell:
        assert cell.find(["a"]).episodes == {}
    assert json.loads((tmp_path / "ab" / ("ab" * 16) / "about.json").read_text()) == {"what": "x"}
