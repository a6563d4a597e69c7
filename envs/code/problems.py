"""Problems that come with Palaestra, each with tests and a solution, in every format the code judge knows."""

from collections.abc import Sequence
from functools import cache
from textwrap import dedent
from typing import Any

from palaestra.envs.task import Json, Task, TaskSet

__all__ = ["shipped_problems"]

_Cases = Sequence[tuple[list[Any], Any]]


def _calls(entry_point: str, text: str, solution: str, cases: _Cases, checker: str = "") -> Task:
    reference: dict[str, Json] = {
        "format": "calls",
        "entry_point": entry_point,
        "cases": [{"arguments": arguments, "expected": expected} for arguments, expected in cases],
    }
    example = ""
    if checker:
        reference["checker"] = dedent(checker).strip() + "\n"
    else:
        arguments, expected = cases[0]
        example = f"\n\nExample: {entry_point}({', '.join(map(repr, arguments))}) is {expected!r}."
    return _task(entry_point, f"Write the Python function {_words(text)}{example}", reference, solution)


def _stdio(name: str, text: str, solution: str, cases: Sequence[tuple[str, str]]) -> Task:
    given, said = cases[0]
    prompt = f"Write a Python program that reads standard input. {_words(text)}\n\nInput:\n{given}\nOutput:\n{said}"
    return _task(name, prompt, {"format": "stdio", "cases": [{"input": i, "output": o} for i, o in cases]}, solution)


def _mbpp(name: str, text: str, solution: str, asserts: Sequence[str]) -> Task:
    prompt = f"Write the Python function {_words(text)} It must pass this test:\n\n{asserts[0]}"
    return _task(name, prompt, {"format": "mbpp", "asserts": list(asserts), "setup": ""}, solution)


def _humaneval(entry_point: str, head: str, rest: str, test: str) -> Task:
    reference = {"format": "humaneval", "test": dedent(test).strip() + "\n", "entry_point": entry_point}
    return Task(entry_point, dedent(head).lstrip(), reference, {"solution": rest.strip("\n") + "\n"})


def _task(name: str, prompt: str, reference: Json, solution: str) -> Task:
    return Task(name, prompt, reference, {"solution": dedent(solution).strip() + "\n"})


def _words(text: str) -> str:
    return " ".join(text.split())


@cache
def shipped_problems() -> TaskSet:
    """Return the problems; `metadata["solution"]` is a right reply."""
    return TaskSet((*_SEQUENCES, *_TEXTS, *_SEARCHES, *_PROGRAMS, *_SHORT), "palaestra's own problems")


_SEQUENCES = (
    _calls(
        "count_peaks",
        "`count_peaks(heights)` that counts the numbers of a list that are greater than both their neighbours. The "
        "first and the last number are no peaks.",
        """
        def count_peaks(heights):
            peaks = 0
            for i in range(1, len(heights) - 1):
                if heights[i] > heights[i - 1] and heights[i] > heights[i + 1]:
                    peaks += 1
            return peaks
        """,
        [
            ([[1, 3, 2, 5, 4]], 2),
            ([[]], 0),
            ([[7]], 0),
            ([[1, 2, 3]], 0),
            ([[3, 2, 1]], 0),
            ([[1, 2, 2, 1]], 0),
            ([[0, 9, 0, 9, 0, 9, 0]], 3),
            ([[5, 1, 4, 2, 3]], 1),
            ([[-3, -1, -2, -2, 4, 0]], 2),
        ],
    ),
    _calls(
        "merge_intervals",
        "`merge_intervals(intervals)` that takes a list of pairs `[start, end]` in any order, joins those that overlap "
        "or touch, and returns the joined pairs in order of their starts.",
        """
        def merge_intervals(intervals):
            merged = []
            for start, end in sorted(intervals):
                if merged and start <= merged[-1][1]:
                    merged[-1][1] = max(merged[-1][1], end)
                else:
                    merged.append([start, end])
            return merged
        """,
        [
            ([[[5, 8], [1, 3], [2, 4]]], [[1, 4], [5, 8]]),
            ([[]], []),
            ([[[1, 2]]], [[1, 2]]),
            ([[[1, 2], [2, 3]]], [[1, 3]]),
            ([[[1, 2], [3, 4]]], [[1, 2], [3, 4]]),
            ([[[1, 10], [2, 3], [4, 5]]], [[1, 10]]),
            ([[[6, 7], [-5, -1], [0, 6], [-2, 0]]], [[-5, 7]]),
        ],
    ),
    _calls(
        "rotate",
        "`rotate(matrix)` that returns a matrix, given as a list of rows of equal length, turned clockwise by 90 "
        "degrees.",
        """
        def rotate(matrix):
            rows = len(matrix)
            columns = len(matrix[0])
            turned = []
            for column in range(columns):
                line = []
                for row in range(rows - 1, -1, -1):
                    line.append(matrix[row][column])
                turned.append(line)
            return turned
        """,
        [
            ([[[1, 2], [3, 4]]], [[3, 1], [4, 2]]),
            ([[[5]]], [[5]]),
            ([[[1, 2, 3]]], [[1], [2], [3]]),
            ([[[1], [2], [3]]], [[3, 2, 1]]),
            ([[[1, 2, 3], [4, 5, 6]]], [[4, 1], [5, 2], [6, 3]]),
            ([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], [[7, 4, 1], [8, 5, 2], [9, 6, 3]]),
        ],
    ),
    _calls(
        "second_largest",
        "`second_largest(numbers)` that returns the second largest of the different numbers in a list, or None where "
        "there are fewer than two.",
        """
        def second_largest(numbers):
            first = None
            second = None
            for number in numbers:
                if first is None or number > first:
                    first, second = number, first
                elif number < first and (second is None or number > second):
                    second = number
            return second
        """,
        [
            ([[4, 9, 7]], 7),
            ([[]], None),
            ([[3]], None),
            ([[3, 3, 3]], None),
            ([[1, 2, 2]], 1),
            ([[9, 8, 8, 9]], 8),
            ([[-5, -2, -9, -3]], -3),
            ([[5, 1, 2, 3]], 3),
            ([[0, 7, 0, 6, 7]], 6),
        ],
    ),
)

_TEXTS = (
    _calls(
        "longest_run",
        "`longest_run(text)` that returns the length of the longest run of equal characters that follow each other.",
        """
        def longest_run(text):
            best = 0
            length = 0
            previous = ""
            for character in text:
                if character == previous:
                    length += 1
                else:
                    length = 1
                best = max(best, length)
                previous = character
            return best
        """,
        [
            (["aabbbc"], 3),
            ([""], 0),
            (["x"], 1),
            (["abc"], 1),
            (["zzzz"], 4),
            (["abbaaaa"], 4),
            (["aaabaa"], 3),
            (["xyyx  xx"], 2),
        ],
    ),
    _calls(
        "roman",
        "`roman(number)` that writes a whole number from 1 to 3999 as a Roman numeral.",
        """
        def roman(number):
            values = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]
            signs = ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"]
            written = ""
            for value, sign in zip(values, signs):
                while number >= value:
                    written += sign
                    number -= value
            return written
        """,
        [
            ([14], "XIV"),
            ([1], "I"),
            ([3], "III"),
            ([48], "XLVIII"),
            ([499], "CDXCIX"),
            ([1666], "MDCLXVI"),
            ([2994], "MMCMXCIV"),
            ([3999], "MMMCMXCIX"),
            ([500], "D"),
        ],
    ),
    _calls(
        "balanced",
        "`balanced(text)` that says whether the brackets `()[]{}` in a text are all closed in the right order. Other "
        "characters do not matter.",
        """
        def balanced(text):
            closing = {")": "(", "]": "[", "}": "{"}
            opened = []
            for character in text:
                if character in "([{":
                    opened.append(character)
                elif character in closing:
                    if not opened or opened.pop() != closing[character]:
                        return False
            return not opened
        """,
        [
            (["a(b[c]{d})"], True),
            ([""], True),
            (["no brackets"], True),
            (["("], False),
            ([")"], False),
            (["([)]"], False),
            (["(()"], False),
            (["{}[]()"], True),
            (["}{"], False),
        ],
    ),
    _calls(
        "top_words",
        "`top_words(text, count)` that returns the `count` most frequent words of a text, which spaces separate, in "
        "lower case; the most frequent first, and equally frequent ones in alphabetical order.",
        """
        def top_words(text, count):
            frequency = {}
            for word in text.lower().split():
                frequency[word] = frequency.get(word, 0) + 1
            ordered = sorted(frequency, key=lambda word: (-frequency[word], word))
            return ordered[:count]
        """,
        [
            (["the cat and the dog", 2], ["the", "and"]),
            (["", 3], []),
            (["b a c", 2], ["a", "b"]),
            (["To be or not to be", 3], ["be", "to", "not"]),
            (["x y y", 5], ["y", "x"]),
            (["a a b b c", 1], ["a"]),
            (["one", 0], []),
        ],
    ),
)

_SEARCHES = (
    _calls(
        "fewest_coins",
        "`fewest_coins(coins, total)` that returns the smallest number of coins with which `total` can be paid, when "
        "there are as many coins of each value as you like; -1 when it cannot be paid.",
        """
        def fewest_coins(coins, total):
            fewest = [0] + [total + 1] * total
            for amount in range(1, total + 1):
                for coin in coins:
                    if coin <= amount:
                        fewest[amount] = min(fewest[amount], fewest[amount - coin] + 1)
            return fewest[total] if fewest[total] <= total else -1
        """,
        [
            ([[1, 5, 10], 27], 5),
            ([[2], 3], -1),
            ([[5], 0], 0),
            ([[1, 3, 4], 6], 2),
            ([[7, 5], 24], 4),
            ([[9, 6], 13], -1),
            ([[1], 8], 8),
            ([[5, 2], 5], 1),
        ],
    ),
    _calls(
        "pair_with_sum",
        "`pair_with_sum(numbers, total)` that returns the positions `[i, j]`, i < j, of two numbers in a list that add "
        "up to `total`: any such pair, or None where there is none.",
        """
        def pair_with_sum(numbers, total):
            seen = {}
            for j, number in enumerate(numbers):
                if total - number in seen:
                    return [seen[total - number], j]
                seen[number] = j
            return None
        """,
        [
            ([[2, 7, 11, 15], 9], True),
            ([[1, 2, 3], 7], False),
            ([[3, 3], 6], True),
            ([[5], 10], False),
            ([[4, -4, 0, 4], 0], True),
            ([[1, 1, 1, 1], 2], True),
            ([[], 0], False),
            ([[8, 1, 4, 2], 16], False),
        ],
        checker="""
        def check(case_input, actual, expected):
            numbers, total = case_input
            if not expected:
                return actual is None
            if not isinstance(actual, (list, tuple)) or [type(index) for index in actual] != [int, int]:
                return False
            i, j = actual
            return 0 <= i < j < len(numbers) and numbers[i] + numbers[j] == total
        """,
    ),
    _calls(
        "equal_halves",
        "`equal_halves(numbers)` that returns some of the positive whole numbers of a list, as a list, that add up to "
        "exactly half of the sum of all: any such choice, or None where there is none.",
        """
        def equal_halves(numbers):
            half, odd = divmod(sum(numbers), 2)
            if odd:
                return None
            choices = {0: []}
            for number in numbers:
                for total, chosen in list(choices.items()):
                    if total + number not in choices:
                        choices[total + number] = chosen + [number]
            return choices.get(half)
        """,
        [
            ([[1, 5, 11, 5]], True),
            ([[1, 2, 5]], False),
            ([[2, 2]], True),
            ([[3, 1]], False),
            ([[4, 3, 2, 1]], True),
            ([[7]], False),
            ([[1, 1, 1, 9]], False),
            ([[8, 6, 5, 4, 3]], True),
        ],
        checker="""
        from collections import Counter

        def check(case_input, actual, expected):
            numbers = case_input[0]
            if not expected:
                return actual is None
            if not isinstance(actual, list) or any(type(number) is not int for number in actual):
                return False
            return not Counter(actual) - Counter(numbers) and 2 * sum(actual) == sum(numbers)
        """,
    ),
)

_PROGRAMS = (
    _stdio(
        "running_totals",
        "The first line says how many numbers of the second line count. Print the sum of these numbers up to and "
        "including each of them, in one line, with spaces between.",
        """
        count = int(input())
        numbers = [int(word) for word in input().split()][:count]
        total = 0
        totals = []
        for number in numbers:
            total += number
            totals.append(str(total))
        print(" ".join(totals))
        """,
        [
            ("4\n1 2 3 4\n", "1 3 6 10\n"),
            ("1\n-5\n", "-5\n"),
            ("2\n0 -1 7\n", "0 -1\n"),
            ("5\n10 -10 7 0 1\n", "10 0 7 7 8\n"),
            ("3\n100000000000 1 2\n", "100000000000 100000000001 100000000003\n"),
        ],
    ),
    _stdio(
        "islands",
        "It is a map: lines of equal length of `#` for land and `.` for water. Print how many islands there are; land "
        "that touches above, below, left or right is one island.",
        """
        import sys

        grid = sys.stdin.read().split()
        land = {(i, j) for i, line in enumerate(grid) for j, sign in enumerate(line) if sign == "#"}
        islands = 0
        while land:
            islands += 1
            waiting = [land.pop()]
            while waiting:
                i, j = waiting.pop()
                for place in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
                    if place in land:
                        land.remove(place)
                        waiting.append(place)
        print(islands)
        """,
        [
            ("#.#\n##.\n..#\n", "3\n"),
            ("...\n...\n", "0\n"),
            ("#\n", "1\n"),
            ("#.\n.#\n", "2\n"),
            ("###\n#.#\n###\n", "1\n"),
            ("#.#.#\n", "3\n"),
            ("##..\n.#..\n.##.\n...#\n", "2\n"),
            ("..#\n###\n#..\n", "1\n"),
        ],
    ),
    _stdio(
        "mean_and_median",
        "Each line is a number. Print their arithmetic mean in one line and their median in the next.",
        """
        import sys

        numbers = sorted(float(line) for line in sys.stdin if line.strip())
        count = len(numbers)
        middle = count // 2
        print(sum(numbers) / count)
        if count % 2 == 1:
            print(numbers[middle])
        else:
            print((numbers[middle - 1] + numbers[middle]) / 2)
        """,
        [
            ("3\n1\n8\n", "4.0\n3.0\n"),
            ("5\n", "5.0\n5.0\n"),
            ("1\n2\n", "1.5\n1.5\n"),
            ("0.1\n0.2\n0.4\n10\n", "2.675\n0.3\n"),
            ("-4\n4\n-4\n4\n6\n", "1.2\n4\n"),
        ],
    ),
)

_SHORT = (
    _mbpp(
        "caesar",
        "`caesar(text, shift)` that moves every letter from a to z and A to Z `shift` places on in the alphabet, "
        "around its end where needed, and leaves all other characters as they are.",
        """
        def caesar(text, shift):
            moved = ""
            for character in text:
                if "a" <= character <= "z":
                    moved += chr((ord(character) - 97 + shift) % 26 + 97)
                elif "A" <= character <= "Z":
                    moved += chr((ord(character) - 65 + shift) % 26 + 65)
                else:
                    moved += character
            return moved
        """,
        [
            'assert caesar("abc XYZ", 3) == "def ABC"',
            'assert caesar("", 5) == ""',
            'assert caesar("Hello, World!", 13) == "Uryyb, Jbeyq!"',
            'assert caesar("azAZ", 1) == "baBA"',
            'assert caesar("mn@[`{", -27) == "lm@[`{"',
        ],
    ),
    _mbpp(
        "is_leap",
        "`is_leap(year)` that says whether a year of the Gregorian calendar has 366 days.",
        """
        def is_leap(year):
            return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        """,
        [
            "assert is_leap(2024) == True",
            "assert is_leap(2023) == False",
            "assert is_leap(1900) == False",
            "assert is_leap(2000) == True",
            "assert is_leap(2100) == False",
            "assert is_leap(4) == True",
            "assert is_leap(2026) == False",
        ],
    ),
    _humaneval(
        "interleave",
        '''
        def interleave(first: list[int], second: list[int]) -> list[int]:
            """Take numbers from both lists in turn, the first list's first; when one is used up, go on with the other.

            >>> interleave([1, 2, 3], [9])
            [1, 9, 2, 3]
            """
        ''',
        """
    mixed = []
    for i in range(max(len(first), len(second))):
        mixed += first[i : i + 1] + second[i : i + 1]
    return mixed
""",
        """
        def check(candidate):
            assert candidate([1, 2, 3], [9]) == [1, 9, 2, 3]
            assert candidate([], []) == []
            assert candidate([], [4, 5]) == [4, 5]
            assert candidate([1, 3], [2, 4]) == [1, 2, 3, 4]
            assert candidate([7], [0, 0, 1]) == [7, 0, 0, 1]
        """,
    ),
    _humaneval(
        "digit_root",
        '''
        def digit_root(number: int) -> int:
            """Add up the decimal digits of a whole number from 0, then those of the sum, until one digit is left.

            >>> digit_root(987)
            6
            """
        ''',
        """
    while number > 9:
        number = sum(int(digit) for digit in str(number))
    return number
""",
        """
        def check(candidate):
            assert candidate(987) == 6
            assert candidate(0) == 0
            assert candidate(9) == 9
            assert candidate(10) == 1
            assert candidate(99999999999) == 9
        """,
    ),
)
