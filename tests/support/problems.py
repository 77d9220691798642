"""Families of real problems, easiest version first, for trees that read like those of a run."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from app.domain.problem import Problem
from app.domain.values import Arguments


@dataclass(frozen=True, slots=True)
class Family:
    """One seed and the versions of a problem that grew from it; every version takes the same inputs."""

    source: str
    licence: str
    seed: str
    inputs: tuple[Arguments, ...]
    versions: tuple[tuple[str, str], ...]  # message, program

    def problem(self, environment: str, version: int) -> Problem:
        """The problem with the gold outputs that running it gives."""
        message, program = self.versions[version % len(self.versions)]
        several = environment == "induction"
        inputs = self.inputs if several else self.inputs[-1:]
        if environment == "fuzzing":
            program += "\n\ndef pre_test_f(*arguments):\n    return len(arguments) > 0\n\ndef test_f(*arguments):\n"
            program += "    return len(str(f(*arguments))) < 24\n"
        names: dict[str, object] = {}
        exec(program, names)
        function = names["f"]
        assert callable(function)
        outputs = tuple(function(*arguments) for arguments in inputs)
        return Problem(environment, program, inputs, outputs, message if several else "")


def reply_of(problem: Problem) -> str:
    """The problem as a teacher writes it: each part in a fenced block of its own."""
    blocks = [("python", problem.program)]
    blocks += [("input", ", ".join(map(repr, arguments))) for arguments in problem.inputs]
    blocks += [("message", problem.message)] if problem.message else []
    return "\n\n".join(f"```{name}\n{text.rstrip()}\n```" for name, text in blocks)


def _version(message: str, program: str) -> tuple[str, str]:
    return message, dedent(program).strip() + "\n"


MERGE = Family(
    source="heapq.py 340-378",
    licence="PSF-2.0",
    seed=dedent(
        """
        def merge(*iterables, key=None, reverse=False):
            h = []
            h_append = h.append
            if reverse:
                _heapify = _heapify_max
                direction = -1
            else:
                _heapify = heapify
                direction = 1
            for order, it in enumerate(map(iter, iterables)):
                try:
                    next = it.__next__
                    h_append([next(), order * direction, next])
                except StopIteration:
                    pass
            _heapify(h)
        """
    ).strip(),
    inputs=(
        ([[1, 4, 9], [2, 3]], 4),
        ([[5], [], [1, 5, 5]], 3),
        ([[-3, 0, 8], [-3, 7], [2]], 6),
        ([[10, 20], [15], [5, 25]], 2),
        ([[7, 7, 7], [7]], 9),
    ),
    versions=(
        _version(
            "Merge several ascending runs into one ascending list and keep its first `limit` items.",
            """
            import heapq

            def f(runs, limit):
                return list(heapq.merge(*runs))[:limit]
            """,
        ),
        _version(
            "Merge several ascending runs and keep the first `limit` items; a value found in more than one run is kept "
            "once.",
            """
            import heapq
            from itertools import groupby, islice

            def f(runs, limit):
                merged = heapq.merge(*runs)
                return list(islice((value for value, _ in groupby(merged)), limit))
            """,
        ),
        _version(
            "Merge several ascending runs, each item paired with the number of the run that it came from. Ties go to "
            "the later run. Keep the first `limit` pairs.",
            """
            from itertools import islice

            def f(runs, limit):
                tagged = (
                    (value, -order)
                    for order, run in enumerate(runs)
                    for value in run
                )
                merged = ((value, -order) for value, order in sorted(tagged))
                return list(islice(merged, limit))
            """,
        ),
        _version(
            "Merge several ascending runs fairly: no run may give two items in a row while another still has one that "
            "is at most 5 larger. Keep the first `limit` items.",
            """
            def f(runs, limit):
                queues = [list(run) for run in runs]
                out, last = [], None
                while len(out) < limit and any(queues):
                    ready = sorted((queue[0], order) for order, queue in enumerate(queues) if queue)
                    value, order = ready[0]
                    if order == last:
                        others = [pair for pair in ready[1:] if pair[0] - value <= 5]
                        value, order = others[0] if others else (value, order)
                    queues[order].pop(0)
                    out.append(value)
                    last = order
                return out
            """,
        ),
    ),
)

WRAP = Family(
    source="textwrap.py 248-291",
    licence="PSF-2.0",
    seed=dedent(
        """
        def _wrap_chunks(self, chunks):
            lines = []
            if self.width <= 0:
                raise ValueError("invalid width %r (must be > 0)" % self.width)
            chunks.reverse()
            while chunks:
                cur_line = []
                cur_len = 0
                if lines:
                    indent = self.subsequent_indent
                else:
                    indent = self.initial_indent
                width = self.width - len(indent)
        """
    ).strip(),
    inputs=(
        ("a quiet line of plain words", 10),
        ("one two three", 20),
        ("unbreakablelongword then short", 8),
        ("to be or not to be", 5),
        ("spaces   collapse   here", 12),
    ),
    versions=(
        _version(
            "Break a text into lines of at most `width` characters, at spaces only, and return the lines.",
            """
            def f(text, width):
                lines, line = [], ""
                for word in text.split():
                    if line and len(line) + 1 + len(word) > width:
                        lines.append(line)
                        line = word
                    else:
                        line = f"{line} {word}".strip()
                return lines + [line]
            """,
        ),
        _version(
            "Break a text into lines of at most `width` characters; a word that is longer than a line is cut. Return "
            "the length of each line.",
            """
            def f(text, width):
                lines, line = [], ""
                for word in text.split():
                    while len(word) > width:
                        if line:
                            lines.append(line)
                        lines.append(word[:width])
                        word, line = word[width:], ""
                    if line and len(line) + 1 + len(word) > width:
                        lines.append(line)
                        line = word
                    else:
                        line = f"{line} {word}".strip()
                return [len(line) for line in lines + [line]]
            """,
        ),
        _version(
            "Break a text into lines of at most `width` characters so that the sum of the squared free space at the "
            "line ends is smallest. Return that sum.",
            """
            def f(text, width):
                words = [word[:width] for word in text.split()]
                best = [0] + [None] * len(words)
                for end in range(1, len(words) + 1):
                    length = -1
                    for start in range(end - 1, -1, -1):
                        length += len(words[start]) + 1
                        if length > width:
                            break
                        cost = best[start] + (width - length) ** 2
                        if best[end] is None or cost < best[end]:
                            best[end] = cost
                return best[-1]
            """,
        ),
    ),
)

BISECT = Family(
    source="statistics.py 690-731",
    licence="PSF-2.0",
    seed=dedent(
        """
        def quantiles(data, *, n=4, method='exclusive'):
            if n < 1:
                raise StatisticsError('n must be at least 1')
            data = sorted(data)
            ld = len(data)
            if ld < 2:
                raise StatisticsError('must have at least two data points')
            if method == 'inclusive':
                m = ld - 1
                result = []
                for i in range(1, n):
                    j, delta = divmod(i * m, n)
        """
    ).strip(),
    inputs=(
        ([3, 1, 2, 8, 5], 2),
        ([1, 1, 1, 9], 3),
        ([10, 20, 30, 40, 50, 60], 4),
        ([4, -2, 7, 0], 5),
        ([2, 2], 2),
    ),
    versions=(
        _version(
            "Sort the numbers and cut them into `parts` groups whose sizes differ by at most one, larger groups first.",
            """
            def f(numbers, parts):
                ordered, groups, start = sorted(numbers), [], 0
                size, extra = divmod(len(ordered), parts)
                for index in range(parts):
                    end = start + size + (index < extra)
                    groups.append(ordered[start:end])
                    start = end
                return groups
            """,
        ),
        _version(
            "Return the cut points that divide the sorted numbers into `parts` intervals of equal probability, "
            "interpolating between neighbours and rounding down.",
            """
            def f(numbers, parts):
                ordered = sorted(numbers)
                last, cuts = len(ordered) - 1, []
                for index in range(1, parts):
                    low, rest = divmod(index * last, parts)
                    high = min(low + 1, last)
                    cuts.append((ordered[low] * (parts - rest) + ordered[high] * rest) // parts)
                return cuts
            """,
        ),
        _version(
            "Return the spread of the middle intervals: the difference of the outermost cut points, weighted by how "
            "many numbers lie strictly between them.",
            """
            def f(numbers, parts):
                ordered = sorted(numbers)
                last, cuts = len(ordered) - 1, []
                for index in range(1, parts):
                    low, rest = divmod(index * last, parts)
                    high = min(low + 1, last)
                    cuts.append((ordered[low] * (parts - rest) + ordered[high] * rest) // parts)
                between = [x for x in ordered if cuts[0] < x < cuts[-1]]
                return (cuts[-1] - cuts[0]) * (1 + len(between))
            """,
        ),
    ),
)

FAMILIES = (MERGE, WRAP, BISECT)
