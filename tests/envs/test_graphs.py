"""Questions about graphs: gold answers score 1, `no` is as certain as `yes`, and nothing else gets through."""

from collections import Counter
from itertools import permutations, product

import networkx as nx
import numpy as np
import pytest
from palaestra.envs import make
from palaestra.envs.audit.corpora import corpus
from palaestra.envs.contracts import check_environment
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.graphs.answers import NO, Colouring, Matching, Walk, read_answer, written
from palaestra.envs.graphs.drawing import class_of, draw_puzzle, renamed
from palaestra.envs.graphs.judge import GraphJudge, find_answer
from palaestra.envs.graphs.puzzle import PROBLEMS, Puzzle
from palaestra.envs.graphs.writing import ENCODINGS, names_for, write
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status

JUDGE = GraphJudge()


def drawn(problem, nodes=6, count=40, **settings):
    generator = np.random.default_rng(1)
    return [draw_puzzle(generator, problem, nodes, **settings) for _ in range(count)]


def judged(puzzle, reply, judge=JUDGE):
    return judge(Task("t", "?", puzzle.as_reference()), reply)


@pytest.mark.parametrize("settings", ["", "nodes=5", "nodes=25&size=200", "weighted=true&problem=path", "credit=share"])
def test_every_gold_answer_scores_1(settings):
    env = make(f"graph?{settings}")
    for task in env.tasks:
        (reply,) = env.solution(task)
        verdict = env.judge(task, reply)
        assert (verdict.status, verdict.reward) == (Status.CORRECT, 1.0), (task, reply, verdict)
        assert (reply == "no") is not task.metadata["possible"]


def test_no_is_accepted_just_where_nothing_else_is():
    """Every answer there is is tried on small graphs."""
    for problem in PROBLEMS:
        for puzzle in drawn(problem, nodes=5, count=12):
            walks = [Walk(way) for n in range(1, 6) for way in permutations(puzzle.nodes, n)]
            colours = product(range(1, puzzle.colours + 1), repeat=5)
            tried = {
                "colouring": [Colouring(dict(zip(puzzle.nodes, some, strict=True))) for some in colours],
                "matching": [Matching(((a, b),)) for a, b in puzzle.edges],
            }.get(problem, walks)
            right = [one for one in tried if judged(puzzle, written(one)).status is Status.CORRECT]
            if problem != "matching":
                assert (judged(puzzle, "no").status is Status.CORRECT) is (not right)
            if problem == "path" and right:
                assert {len(walk.nodes) for walk in right} <= {len(find_answer(puzzle).nodes)}


def test_colourings_agree_with_trying_all_of_them():
    found = Counter()
    for puzzle in drawn("colouring", nodes=7, count=20):
        tried = product(range(puzzle.colours), repeat=7)
        place = {node: number for number, node in enumerate(puzzle.nodes)}
        exists = any(all(one[place[a]] != one[place[b]] for a, b in puzzle.edges) for one in tried)
        assert (find_answer(puzzle) != NO) is exists
        found[exists] += 1
    assert min(found[True], found[False]) > 3


def test_part_of_the_reward_is_paid_for_parts_only_where_they_mean_something():
    path = Puzzle("path", tuple("0123"), (("0", "1"), ("1", "2"), ("0", "2"), ("2", "3")), (1,) * 4, ("0", "3"))
    share = GraphJudge("share")
    assert judged(path, "0 1 2 3", share).reward == pytest.approx(2 / 3)
    assert judged(path, "0 1 2 3", share).status is Status.PARTIAL
    assert judged(path, "0 1 2 3").status is Status.WRONG
    pairs = Puzzle("matching", tuple("0123"), (("0", "1"), ("1", "2"), ("2", "3")), (1,) * 3)
    assert judged(pairs, "1-2", share).reward == 0.5
    colours = Puzzle("colouring", tuple("012"), (("0", "1"), ("1", "2")), (1,) * 2, (), 2)
    assert judged(colours, "0=1, 1=2, 2=2", share).reward == 0.0
    with pytest.raises(UnknownNameError):
        GraphJudge("some")


def test_statuses_say_what_was_wrong():
    ring = Puzzle("cycle", tuple("0123"), (("0", "1"), ("1", "2"), ("2", "0"), ("2", "3")), (1,) * 4)
    for reply, status in (("0 1 2 3", Status.ILLEGAL), ("no", Status.WRONG), ("0 1 2 and so on", Status.UNPARSED)):
        assert judged(ring, reply).status is status


def test_a_reply_may_think_before_it_answers():
    puzzle = Puzzle("path", tuple("012"), (("0", "1"), ("1", "2")), (1, 1), ("0", "2"))
    assert read_answer(puzzle, "First 0, then 1.\nAnswer: 0 1 2\nThat is all.") == Walk(tuple("012"))
    assert JUDGE.answer_of("so\n**0 1 2**\n\n") == "0 1 2"
    assert JUDGE.answer_of(" \n") is None


def test_nothing_is_wrong_with_the_audit_of_the_judge():
    cases = corpus("graph")
    assert len(cases) > 100
    for case in cases:
        verdict = JUDGE(case.task, case.reply)
        assert (verdict.status is Status.CORRECT) is case.accept, (case, verdict)
        assert verdict.valid


@pytest.mark.parametrize(
    "change",
    [
        {"problem": "tour"},
        {"nodes": ["0", "0"]},
        {"nodes": ["0", "no way"]},
        {"nodes": 7},
        {"nodes": [["0"], "1", "2"]},
        {"edges": [["0", "1"], ["1", "0"]]},
        {"edges": [["0", "0"]]},
        {"edges": [["0", "9"]]},
        {"edges": [["0"]]},
        {"edges": [["0", "1", 0]]},
        {"edges": [["0", "1", "x"]]},
        {"edges": ["01"]},
        {"ends": ["0", "0"]},
        {"ends": ["0"]},
        {"ends": []},
        {"problem": "colouring", "ends": []},
    ],
)
def test_a_reference_that_is_no_puzzle_breaks_the_task(change):
    reference = {"problem": "path", "nodes": list("012"), "edges": [["0", "1"], ["1", "2"]], "ends": ["0", "2"]}
    assert JUDGE(Task("t", "?", reference), "0 1 2").status is Status.CORRECT
    assert JUDGE(Task("t", "?", {**reference, **change}), "0 1 2").status is Status.BROKEN_TASK
    assert JUDGE(Task("t", "?", "0 1 2"), "0 1 2").status is Status.BROKEN_TASK


def test_a_graph_that_is_too_hard_to_colour_breaks_the_task_and_not_the_judge():
    generator = np.random.default_rng(3)
    nodes = tuple(map(str, range(100)))
    edges = tuple((a, b) for i, a in enumerate(nodes) for b in nodes[:i] if generator.random() < 0.3)
    puzzle = Puzzle("colouring", nodes, edges, (1,) * len(edges), (), 8)
    assert judged(puzzle, "no").status is Status.BROKEN_TASK
    assert judged(puzzle, ", ".join(f"{node}=1" for node in nodes)).status is Status.ILLEGAL


def test_what_is_held_out_is_held_out_up_to_isomorphism():
    train, test = make("graph?nodes=6&size=400").tasks.split()
    assert len(test) > 20

    def graphs(tasks):
        for task in tasks:
            puzzle = Puzzle.from_reference(task.reference)
            for node in puzzle.nodes:
                puzzle.graph.nodes[node]["end"] = node in puzzle.ends
            yield puzzle

    known = Counter((p.problem, p.colours) for p in graphs(train))
    assert len(known) == 6
    alike = 0
    for held in graphs(test):
        for other in graphs(train):
            if (held.problem, held.colours, len(held.edges)) == (other.problem, other.colours, len(other.edges)):
                alike += 1
                assert not nx.is_isomorphic(held.graph, other.graph, node_match=lambda a, b: a["end"] == b["end"])
    assert alike > 100


def test_classes_know_no_names_but_know_ends_and_lengths():
    generator = np.random.default_rng(0)
    for problem in PROBLEMS:
        puzzles = drawn(problem, nodes=8, count=20, weighted=True)
        for puzzle in puzzles:
            told = renamed(puzzle, names_for("friends", 8), generator)
            assert told.edges != puzzle.edges
            assert class_of(told) == class_of(puzzle)
        assert len({class_of(puzzle) for puzzle in puzzles}) > 15
    way = Puzzle("path", tuple("0123"), (("0", "1"), ("1", "2"), ("2", "3")), (1, 1, 2), ("0", "2"))
    ends = Puzzle("path", way.nodes, way.edges, way.lengths, ("0", "3"))
    lengths = Puzzle("path", way.nodes, way.edges, (1, 2, 1), way.ends)
    assert len({class_of(one) for one in (way, ends, lengths)}) == 3


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_text_tells_the_whole_graph(encoding):
    for task in make(f"graph?encoding={encoding}&size=100&weighted=true").tasks:
        puzzle = Puzzle.from_reference(task.reference)
        assert write(puzzle, encoding) == task.prompt
        assert all(node in task.prompt for node in puzzle.nodes)
        words = {"edges": "{}-{}", "adjacency": "Node {} is joined", "friends": "{} knows {}"}[encoding]
        assert all(words.format(*edge) in task.prompt for edge in puzzle.edges)


def test_seeds_problems_and_sizes():
    digests = [make(f"graph?size=50&seed={seed}").tasks.digest for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]
    tasks = make("graph?problem=path,cycle&nodes=9&size=60").tasks
    assert {task.metadata["problem"] for task in tasks} == {"path", "cycle"}
    assert {task.metadata["difficulty"] for task in tasks} == {9}
    possible = Counter(task.metadata["possible"] for task in make("graph?problem=cycle&size=400").tasks)
    # Four deviations of a binomial count.
    assert abs(possible[True] - 200) < 40


def test_every_problem_keeps_the_contract():
    for problem in PROBLEMS:
        check_environment(make(f"graph?problem={problem}&size=40&tries=2"))


@pytest.mark.parametrize("settings", ["nodes=4", "nodes=41"])
def test_sizes_that_cannot_be_drawn_are_refused(settings):
    with pytest.raises(UsageError, match="from 5 to 40"):
        make(f"graph?{settings}")


@pytest.mark.parametrize("settings", ["problem=paths", "encoding=edge", "credit=part"])
def test_unknown_names_are_refused(settings):
    with pytest.raises(UnknownNameError):
        make(f"graph?{settings}")
