"""Other people's worlds against the real packages of the extra `worlds`."""

import socket
import threading
import time

import pytest
from palaestra.agents.rollout import play
from palaestra.agents.specs import load_agent
from palaestra.envs.catalogue import make
from palaestra.envs.contracts import HOSTILE_ACTIONS, check_environment
from palaestra.envs.errors import InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.verdict import Status

pytestmark = [
    pytest.mark.adapters,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

# The package tells no answer: any that fits will do.
WITHOUT_ANSWERS = {"boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}
# A mixture of others, given as objects.
NOT_BY_NAME = {"composite"}


def test_every_data_set_of_reasoning_gym_takes_its_own_answer():
    from reasoning_gym.factory import DATASETS

    assert len(DATASETS) >= 100
    unsolved = set()
    for name in sorted(set(DATASETS) - NOT_BY_NAME):
        env = make(f"reasoning-gym:{name}?size=2")
        assert 1 <= len(env.tasks) <= 2
        for task in env.tasks:
            solution = env.solution(task)
            env.reset(seed=0, options={"task": task})
            if solution is None:
                unsolved.add(name)
                continue
            _, reward, over, _, info = env.step(*solution)
            assert (reward, over, info["verdict"].status) == (1.0, True, Status.CORRECT), name
    assert unsolved == WITHOUT_ANSWERS


def test_no_scorer_of_reasoning_gym_is_fooled_hung_or_run_by_a_reply():
    from reasoning_gym.factory import DATASETS

    for name in sorted(set(DATASETS) - NOT_BY_NAME):
        env = make(f"reasoning-gym:{name}?size=1")
        for action in (*HOSTILE_ACTIONS, "9**9**9**9", "factorial(10**7)", "gamma(99999999)"):
            env.reset(seed=0, options={"task": env.tasks[0]})
            began = time.monotonic()
            _, reward, over, _, info = env.step(action)
            assert time.monotonic() - began < 20, (name, action[:20])
            assert over
            # A list of nothing but time is nearly as long as another: the package pays for being near.
            assert reward < 1.0, (name, action[:20])
            if name not in WITHOUT_ANSWERS:
                assert info["verdict"].valid, (name, action[:20], info["verdict"])


def test_the_seed_names_the_questions_of_reasoning_gym():
    digests = [make(f"reasoning-gym:chain_sum?size=20&{more}").tasks.digest for more in ("seed=1", "seed=1", "seed=2")]
    assert digests[0] == digests[1] != digests[2]
    long = make("reasoning-gym:chain_sum?size=5&min_terms=6&max_terms=6")
    assert all(task.prompt.count("+") + task.prompt.count("-") >= 5 for task in long.tasks)
    check_environment(make("reasoning-gym:basic_arithmetic?size=30&operators=+,-"))
    with pytest.raises(UnknownNameError, match="'chain_sum'"):
        make("reasoning-gym:chain_sums")
    with pytest.raises(UnknownNameError, match="'min_terms'"):
        make("reasoning-gym:chain_sum?min_term=3")
    with pytest.raises(UsageError, match="cannot draw"):
        make("reasoning-gym:chain_sum?min_terms=9&max_terms=2")
    with pytest.raises(UsageError, match="is not one of this data set"):
        make("reasoning-gym:chain_sum?seed=1").reset(options={"task": long.tasks[0]})


def test_an_episode_of_reasoning_gym_is_recorded():
    env = make("reasoning-gym:chain_sum?size=20")
    first, second = (play(env, load_agent("scripted:oracle"), seed=4) for _ in range(2))
    assert first.correct
    assert first.digest() == second.digest()


def test_gems_games_and_questions():
    for name in ("game:GuessTheNumber-v0-easy", "game:Mastermind-v0-easy", "game:Sudoku-v0-easy", "rg:leg_counting"):
        check_environment(make(f"gem:{name}?size=20"))
    env = make("gem:game:GuessTheNumber-v0-easy?size=30")
    returns = set()
    for task in env.tasks:
        env.reset(seed=0, options={"task": task})
        low, high, paid, over = 1, 10, 0.0, False
        while not over:
            middle = (low + high) // 2
            told, reward, over, _, info = env.step(f"\\boxed{{{middle}}}")
            paid += reward
            low, high = (middle + 1, high) if "higher" in told else (low, middle - 1)
        assert paid == 1.0
        assert info["verdict"].status is Status.CORRECT
        returns.add(paid)
    env.reset(seed=0)
    assert env.step("no guess")[1] == -0.1
    with pytest.raises(UnknownNameError, match="'game:GuessTheNumber-v0-easy'"):
        make("gem:game:GuessTheNumber-v0-esy")


TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Score, accuracy, choice, match, scorer
from inspect_ai.solver import generate, multiple_choice

@task
def sums(first=2):
    samples = [Sample(input=f"What is {first} + {n}?", target=str(first + n), id=f"s{n}") for n in range(8)]
    return Task(dataset=samples, solver=generate(), scorer=match())

@task
def choices():
    samples = [Sample(input=f"Which is {n}?", choices=["1", "2", "3"], target="ABC"[n - 1]) for n in (1, 2, 3)]
    return Task(dataset=samples, solver=multiple_choice(), scorer=choice())

@scorer(metrics=[accuracy()])
def broken():
    async def score(state, target):
        if "break" in state.output.completion:
            raise RuntimeError("the grader is gone")
        return Score.unscored(reason="grader_failed") if "unscored" in state.output.completion else Score(value="P")
    return score

@task
def fragile():
    return Task(dataset=[Sample(input="Say something.", target="x")], scorer=broken())

@task
def boxed():
    return Task(dataset=[Sample(input="Go.", target="x")], scorer=match(), sandbox="local")
"""


@pytest.fixture
def task_file(tmp_path):
    file = tmp_path / "some_tasks.py"
    file.write_text(TASK)
    return file


def test_an_inspect_task_is_an_environment(task_file):
    env = make(f"inspect:{task_file}@sums?first=5")
    assert [task.prompt for task in env.tasks][:2] == ["What is 5 + 0?", "What is 5 + 1?"]
    check_environment(env)
    env.reset(seed=0, options={"task": env.tasks[3]})
    _, reward, _, _, info = env.step("It is 8")
    assert (reward, info["verdict"].status) == (1.0, Status.CORRECT)
    env.reset(seed=0, options={"task": env.tasks[3]})
    assert env.step("It is 9")[4]["verdict"].status is Status.WRONG
    assert play(env, load_agent("scripted:oracle"), seed=2).correct


def test_choices_of_an_inspect_task_are_written_out(task_file):
    env = make(f"inspect:{task_file}@choices")
    check_environment(env)
    asked, _ = env.reset(seed=0, options={"task": env.tasks[1]})
    assert "A) 1" in asked
    assert "ANSWER:" in asked
    assert env.step("I think so.\nANSWER: B")[1] == 1.0


def test_a_scorer_of_inspect_that_fails_is_no_reward(task_file):
    env = make(f"inspect:{task_file}@fragile")
    for reply, status, detail in (
        ("please break", Status.INFRASTRUCTURE, "the grader is gone"),
        ("unscored", Status.INFRASTRUCTURE, "grader_failed"),
        ("fine", Status.PARTIAL, ""),
    ):
        env.reset(seed=0)
        verdict = env.step(reply)[4]["verdict"]
        assert verdict.status is status
        assert detail in verdict.detail
    episode = play(env, load_agent("scripted:constant?text=break"), seed=0)
    assert not episode.valid


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("sum", UnknownNameError, "'sums'"),
        ("boxed", UsageError, "needs a sandbox"),
        ("", UsageError, "names 4 inspect_ai tasks|names 5 inspect_ai tasks|cannot load"),
    ],
)
def test_what_inspect_tasks_cannot_be_read(task_file, name, error, message):
    with pytest.raises(error, match=message):
        make(f"inspect:{task_file}" + (f"@{name}" if name else ""))
    with pytest.raises(UsageError, match="no file"):
        make("inspect:/nowhere/at/all.py@sums")


VERIFIERS = """
import verifiers.v1 as vf

class Data(vf.TaskData):
    answer: str

class Sum(vf.Task[Data]):
    @vf.reward
    async def right(self, trace) -> float:
        if "break" in trace.last_reply:
            raise RuntimeError("no judge")
        return float(trace.last_reply == self.data.answer)

    @vf.reward(weight=0.5)
    async def short(self, trace) -> float:
        return float(len(trace.last_reply) < 3)

class Config(vf.TasksetConfig):
    most: int = 6

class Sums(vf.Taskset[Sum, Config]):
    def load(self):
        for n in range(self.config.most):
            data = Data(prompt=f"{n} + 1?", answer=str(n + 1), system_prompt="Answer with a number.")
            yield Sum(data, self.config.task)

__all__ = ["Sums"]
"""
LEADING = """
import verifiers.v1 as vf

class Data(vf.TaskData):
    secret: int

class Guess(vf.Task[Data]):
    @vf.reward
    async def found(self, trace) -> float:
        return float(trace.last_reply == str(self.data.secret))

    @vf.stop
    async def gave_up(self, trace: vf.Trace) -> bool:
        return trace.num_turns > 0 and trace.last_reply == "stop"

class Guesses(vf.Taskset[Guess, vf.TasksetConfig]):
    def load(self):
        for secret in range(1, 9):
            yield Guess(Data(secret=secret), self.config.task)

class GuessConfig(vf.EnvConfig):
    player: vf.AgentConfig = vf.AgentConfig(max_turns=5)

class GuessEnv(vf.Env[GuessConfig]):
    async def run(self, task, agents):
        async with agents.player.interaction(task) as talk:
            segment = await talk.turn("Guess from 1 to 8.")
            while not segment.terminated and segment.last_reply != str(task.data.secret):
                if not segment.last_reply.isdigit():
                    segment = await talk.turn("A number.")
                    continue
                hint = "higher" if int(segment.last_reply) < task.data.secret else "lower"
                segment = await talk.turn(hint)

    async def finalize(self, task, episode):
        (trace,) = episode.traces
        trace.record_metric("turns", trace.num_turns)

__all__ = ["Guesses", "GuessEnv"]
"""
GREEDY = VERIFIERS.replace("async def short(self, trace)", "async def short(self, trace, runtime)")


def test_a_task_set_of_verifiers(tmp_path):
    file = tmp_path / "own_sums.py"
    file.write_text(VERIFIERS)
    env = make(f"verifiers:{file}?most=8")
    assert len(env.tasks) == 8
    asked, _ = env.reset(seed=0, options={"task": env.tasks[2]})
    assert asked == "Answer with a number.\n\n2 + 1?"
    _, reward, over, _, info = env.step("3")
    assert (reward, over, info["verdict"].status) == (1.5, True, Status.CORRECT)
    assert info["verdict"].detail == "right 1, short 1"
    env.reset(seed=0, options={"task": env.tasks[2]})
    assert env.step("4")[1] == 0.5
    env.reset(seed=0, options={"task": env.tasks[2]})
    _, reward, over, _, info = env.step("break")
    assert (reward, over, info["verdict"].status) == (0.0, True, Status.INFRASTRUCTURE)
    assert "no judge" in info["verdict"].detail
    check_environment(env)
    with pytest.raises(UsageError, match="cannot load"):
        make("verifiers:no-such-task-set-anywhere")
    with pytest.raises(UsageError, match="no file"):
        make("verifiers:/nowhere/else.py")
    (tmp_path / "greedy.py").write_text(GREEDY)
    with pytest.raises(UsageError, match="a runtime for short"):
        make(f"verifiers:{tmp_path / 'greedy.py'}")


def test_an_environment_of_verifiers_of_several_turns(tmp_path):
    file = tmp_path / "own_guesses.py"
    file.write_text(LEADING)
    env = make(f"verifiers:{file}")
    check_environment(env)
    secret = env.tasks[5].reference["secret"]
    told, _ = env.reset(seed=0, options={"task": env.tasks[5]})
    assert told == "Guess from 1 to 8."
    low, high, over = 1, 8, False
    while not over:
        middle = (low + high) // 2
        told, reward, over, _, info = env.step(str(middle))
        low, high = (middle + 1, high) if told == "higher" else (low, middle - 1)
    assert middle == secret
    assert (reward, info["verdict"].status) == (1.0, Status.CORRECT)
    # The task's own stop, and the agent's most turns.
    env.reset(seed=0, options={"task": env.tasks[5]})
    assert env.step("stop")[1:3] == (0.0, True)
    env.reset(seed=0, options={"task": env.tasks[5]})
    steps = [env.step("8") for _ in range(5)]
    assert [step[2] or step[3] for step in steps] == [False] * 4 + [True]
    assert steps[-1][3]
    # One that was given up in the middle leaves nothing behind.
    env.reset(seed=0, options={"task": env.tasks[5]})
    twin = env.clone()
    twin.reset(seed=0, options={"task": env.tasks[0]})
    assert env.step("1")[0] == "higher"
    assert twin.step("1")[1] == 1.0


@pytest.fixture
def server():
    """Serves a counting game by OpenEnv's own server on loopback."""
    import uvicorn
    from openenv.core.env_server import create_app
    from openenv.core.env_server.interfaces import Environment
    from openenv.core.env_server.types import Action, Observation, State

    class Say(Action):
        text: str
        loud: bool = False

    class Heard(Observation):
        message: str = ""

    class Counting(Environment):
        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self):
            super().__init__()
            self.at, self.seed = 0, 0

        def reset(self, seed=None, episode_id=None, **others):
            self.at, self.seed = 0, seed or 0
            return Heard(message=f"Count to 3, from seed {self.seed}.")

        def step(self, action, timeout_s=None, **others):
            if action.text == "break":
                raise RuntimeError("the server's world broke")
            self.at = self.at + 1 if action.text == str(self.at + 1) else 0
            return Heard(message=f"{self.at}{'!' if action.loud else '.'}", reward=self.at == 3, done=self.at == 3)

        @property
        def state(self):
            return State(step_count=self.at)

    app = create_app(Counting, Say, Heard, env_name="counting", max_concurrent_envs=8)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(400):
        if server.started:
            break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}", server
    server.should_exit = True
    thread.join(10)


def test_an_openenv_server(server):
    address, running = server
    env = make(f"openenv:{address}?size=20")
    told, _ = env.reset(seed=0, options={"task": env.tasks[7]})
    assert told == "Count to 3, from seed 7."
    steps = [env.step(str(n)) for n in (1, 2, 3)]
    assert [step[0] for step in steps] == ["1.", "2.", "3."]
    assert [step[1] for step in steps] == [0.0, 0.0, 1.0]
    assert steps[-1][4]["verdict"].status is Status.CORRECT
    loud = make(f"openenv:{address}?loud=true&observation=message")
    loud.reset(seed=0)
    assert loud.step("1")[0] == "1!"
    # Two sessions at a time do not disturb each other.
    twin = env.clone()
    env.reset(seed=0), twin.reset(seed=0)
    assert (env.step("1")[0], twin.step("7")[0], env.step("2")[0]) == ("1.", "0.", "2.")
    env.reset(seed=0)
    verdict = env.step("break")[4]["verdict"]
    assert verdict.status is Status.INFRASTRUCTURE
    assert "broke" in verdict.detail
    # The next episode begins in a session of its own.
    env.reset(seed=0)
    assert env.step("1")[0] == "1."
    with pytest.raises(UnknownNameError, match="'loud'"):
        make(f"openenv:{address}?lound=true")
    env.reset(seed=0)
    running.should_exit = True
    deadline = time.monotonic() + 20
    verdict = None
    while time.monotonic() < deadline:
        time.sleep(0.2)
        _, _, over, _, info = env.step("0")
        if over:
            verdict = info["verdict"]
            break
    assert verdict is not None
    assert verdict.status is Status.INFRASTRUCTURE
    with pytest.raises(InfrastructureError):
        env.reset(seed=0)
    for each in (env, twin, loud):
        each.close()


def test_no_openenv_server_is_there():
    with pytest.raises(UsageError, match="No OpenEnv server answers"):
        make("openenv:http://127.0.0.1:9")
    with pytest.raises(UsageError, match="named by its address"):
        make("openenv:counting")
