"""What is checked of a program before it runs: size, syntax, the required functions, purity, its comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Sequence

from app.domain.code import nodes, parse, tree_of
from app.domain.problem import InvalidProposal
from app.domain.values import Arguments, Value, render
from app.environments._common.blocks import Block
from app.environments._common.purity import impurities
from app.environments._common.wording import earlier_reference

# Shorter answers (True, 12, 'ab') turn up in honest comments by chance.
_TELLING = 8


def choose_program(found: Sequence[Block], required: Sequence[str]) -> str:
    """The program of a reply: the last python block that defines every required function.

    A later block is a correction of an earlier one. Where none defines them all, the blocks are parts of one program
    and are joined in order. Raises InvalidProposal.
    """
    sources = [block.text for block in found if block.language == "python" and block.text]
    if not sources:
        raise InvalidProposal("missing_block", "There is no ```python block.")
    for source in reversed(sources):
        if all(re.search(rf"\bdef\s+{name}\s*\(", source) for name in required):
            return source
    return "\n\n\n".join(sources)


def read_program(source: str, required: Sequence[str], longest: int) -> ast.Module:
    """Parses and inspects a teacher's program. Raises InvalidProposal."""
    if len(source) > longest:
        raise InvalidProposal("too_long", f"The program has {len(source):,} characters; at most {longest:,} are taken.")
    try:
        tree = tree_of(source)
    except SyntaxError as error:
        line = f"Line {error.lineno}: " if error.lineno else ""
        raise InvalidProposal("syntax_error", f"{line}{error.msg}.") from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if missing := [name for name in required if name not in defined]:
        raise InvalidProposal("missing_name", f"The python block does not define {' and '.join(missing)}.")
    if found := impurities(tree):
        raise InvalidProposal("nondeterministic", f"In the program, {'; '.join(found)}.")
    if phrase := earlier_reference("\n".join(remarks(source, tree))):
        raise InvalidProposal("refers_to_earlier", f"A comment or docstring says {phrase!r}.")
    return tree


def check_arity(tree: ast.Module, name: str, inputs: Iterable[Arguments]) -> None:
    """Whether every input can be passed to the function by position. Raises InvalidProposal."""
    spec = _function(tree, name).args
    most = len(spec.posonlyargs) + len(spec.args)
    least = most - len(spec.defaults)
    wanted = (f"{least}" if least == most else f"{least} to {most}") + " or more" * bool(spec.vararg)
    for number, arguments in enumerate(inputs, 1):
        given = len(arguments)
        if not given or given < least or (given > most and spec.vararg is None):
            raise InvalidProposal("bad_input", f"Input {number} has {given} value(s); {name} takes {wanted}.")


def signature(source: str, name: str) -> str:
    """How the function is called, without types: `f(text, width=3)`."""
    spec = _function(parse(source), name).args
    for node in ast.walk(spec):
        if isinstance(node, ast.arg):
            node.annotation = None
    try:
        return f"{name}({ast.unparse(spec)})"
    except RecursionError:  # a default that no signature needs: hundreds of signs or terms
        spec.defaults = [ast.Constant(...) for _ in spec.defaults]
        spec.kw_defaults = [default and ast.Constant(...) for default in spec.kw_defaults]
        return f"{name}({ast.unparse(spec)})"


def _function(tree: ast.Module, name: str) -> ast.FunctionDef:
    """The definition that counts: the last one at the top level."""
    return next(node for node in reversed(tree.body) if isinstance(node, ast.FunctionDef) and node.name == name)


def remarks(source: str, tree: ast.Module) -> list[str]:
    """Comments and docstrings, which a student reads with the code."""
    found = [
        doc
        for node in nodes(tree)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and (doc := ast.get_docstring(node))
    ]
    if "#" not in source:
        return found
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        found += [token.string for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError):
        return found  # what the parser takes and the tokenizer does not has no comment worth reading
    return found


def check_no_answer(source: str, tree: ast.Module, answers: Iterable[Value]) -> None:
    """Raises InvalidProposal where a comment or docstring spells an answer out."""
    text = "\n".join(remarks(source, tree))
    for answer in answers:
        written = render(answer)
        if len(written) >= _TELLING and written in text:
            raise InvalidProposal("leaks_answer", f"A comment or docstring contains {written[:80]}.")
