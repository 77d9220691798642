from __future__ import annotations

from textwrap import dedent

from app.engines._procedural.candidates import candidates


def sources(text: str) -> list[str]:
    return [candidate.source for candidate in candidates(dedent(text))]


def test_what_code_asks_of_the_world_becomes_a_parameter() -> None:
    found = sources(
        """
        def shorten(self, path):
            if len(path) > self.width:
                return path[:self.width] + self.get_ending(path)
            return path
        """
    )
    assert (
        dedent(
            """\
        def shorten(path, width, ending):
            if len(path) > width:
                return path[:width] + ending
            return path"""
        )
        in found
    )


def test_a_raised_exception_becomes_a_returned_value() -> None:
    found = sources(
        """
        def check(size):
            if size < 0:
                raise ValueError('size must not be negative')
            return size * 2
        """
    )
    assert any("return 'size must not be negative'" in source for source in found)


def test_yielded_and_printed_values_are_collected() -> None:
    found = sources(
        """
        def pairs(names):
            for name in names:
                yield name + '='
                print(name)
        """
    )
    assert any("results.append(name + '=')" in source and "results.append(name)" in source for source in found)


def test_text_may_start_and_end_in_the_middle_of_a_function() -> None:
    found = sources(
        """\
                total = 0
                for width in widths:
                    total += width * 2
            else:
                limit = total // 3
                if limit > 4:
        """
    )
    assert (
        "def total(widths):\n    total = 0\n    for width in widths:\n        total += width * 2\n    return total"
        in found
    )
    assert "def limit(total):\n    return total // 3" in found


def test_work_that_no_result_depends_on_is_left_out() -> None:
    (first, *_) = sources(
        """
        osname = 'linux'
        prefix = 'a'
        prefix = start
        label = prefix + '-' + name
        """
    )[::-1]
    assert all("osname" not in source for source in [first])
    assert "def label(prefix, name):\n    return prefix + '-' + name" in sources(
        """
        osname = 'linux'
        prefix = 'a'
        prefix = start
        label = prefix + '-' + name
        """
    )


def test_iterating_a_set_is_not_handed_on() -> None:
    assert sources("names = list(set(words))\n") == []
    assert sources("names = sorted(set(words))\n") == ["def names(words):\n    return sorted(set(words))"]


def test_nonsense_and_other_languages_give_nothing() -> None:
    assert candidates("") == []
    assert candidates("\x00\x01(((((") == []
    assert candidates("int main(void) { return 0; }\n" * 40) == []
    assert candidates("(" * 5_000) == []
