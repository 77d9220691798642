"""What programs may import works inside, where no file can be read, and the document lists it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.domain.ports import Call, Program, Status
from app.sandboxes.forkserver import ForkServerSandbox, protocol
from app.sandboxes.forkserver.modules import ALLOWED, COMMON, wants_wide

ROOT = Path(__file__).parents[3]
# Function-level imports that only command lines, self-tests and missing OpenSSL use.
UNUSED = {"argparse", "doctest", "getopt", "gc", "tracemalloc", "_tokenize", "_socket"}
SCAN = """
import ast, json, sys
from app.sandboxes.forkserver import modules
known = set(sys.modules)
modules.import_all([], [])
missing = {}
for name in modules.ALLOWED + ("_strptime", "json.decoder"):
    path = getattr(sys.modules[name], "__file__", None) or ""
    if not path.endswith(".py"): continue
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)): continue
        if function.name == "__get_builtin_constructor" and "_hashlib" in sys.modules: continue
        for node in ast.walk(function):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
                [node.module] if isinstance(node, ast.ImportFrom) and not node.level else [])
            for each in names:
                if each not in sys.modules: missing[each] = f"{name}.{function.name}"
print(json.dumps(missing))
"""


def test_document_lists_them() -> None:
    text = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    listed = re.search(r"<!-- modules -->(.*)<!-- /modules -->", text, re.DOTALL)
    assert listed
    assert tuple(re.findall(r"`([^`]+)`", listed[1])) == ALLOWED


def test_what_they_import_later_is_there_already() -> None:
    output = subprocess.run(
        [sys.executable, "-Wignore", "-c", SCAN], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert set(json.loads(output)) <= UNUSED, output


USES = {
    "array": "list(array.array('i', [1, 2]))",
    "ast": "ast.unparse(ast.parse('x+1'))",
    "base64": "base64.b64encode(b'x')",
    "binascii": "binascii.crc32(b'x')",
    "calendar": "calendar.month(2024, 2)",
    "cmath": "cmath.sqrt(-1)",
    "collections": "dict(collections.Counter('aab').most_common(1))",
    "contextlib": "isinstance(contextlib.ExitStack(), object)",
    "copy": "copy.deepcopy([[1]])",
    "csv": "list(csv.reader(['a,b']))",
    "dataclasses": "dataclasses.asdict(dataclasses.make_dataclass('D', ['x'])(1))",
    "datetime": "str(datetime.datetime.strptime('2024-02-03', '%Y-%m-%d') + datetime.timedelta(1))",
    "decimal": "str(decimal.Decimal('0.1') * 3)",
    "difflib": "list(difflib.unified_diff(['a'], ['b']))",
    "enum": "enum.Enum('E', 'A B').A.value",
    "fractions": "str(fractions.Fraction(1, 3) + 1)",
    "functools": "functools.singledispatch(lambda x: x)(3)",
    "graphlib": "list(graphlib.TopologicalSorter({1: [2]}).static_order())",
    "hashlib": "[hashlib.new(n, b'x').hexdigest() for n in ('md5', 'sha1', 'sha256', 'sha512', 'sha3_256', 'blake2b')]",
    "html": "html.unescape('&eacute;&lt;')",
    "inspect": "str(inspect.signature(lambda a, b=1: 0))",
    "io": "io.StringIO('a\\nb').readlines()",
    "json": "json.loads(json.dumps({'a': [1, 2.5, None]}))",
    "pprint": "pprint.pformat({'a': list(range(40))})",
    "queue": "(lambda q: (q.put(1), q.get())[1])(queue.PriorityQueue())",
    "random": "random.Random('text').sample(range(9), 3)",
    "re": "re.sub(r'(?i)\\bA', 'b', 'a A', flags=re.ASCII)",
    "shlex": "shlex.split('a \"b c\"')",
    "statistics": "[statistics.median([3, 1]), statistics.NormalDist(0, 1).cdf(1), statistics.quantiles([1, 2])]",
    "string": "string.Template('$x').substitute(x=1) + string.Formatter().format('{0:n}', 12345)",
    "struct": "struct.unpack('<I', b'abcd')[0]",
    "textwrap": "textwrap.fill('x ' * 50, 20)",
    "traceback": "traceback.format_exception_only(ValueError('x'))",
    "typing": "str(typing.get_type_hints(type('C', (), {'__annotations__': {'x': 'int'}})))",
    "unicodedata": "unicodedata.normalize('NFD', 'é') + '\\N{BULLET}'",
    "urllib.parse": "urllib.parse.parse_qs('a=1&b=2')",
    "weakref": "weakref.finalize(f, print).alive",
    "zlib": "zlib.decompress(zlib.compress(b'x'))",
    "sys": "[sys.maxsize, sys.getrecursionlimit()]",
}
# What the interpreter imports by itself when a program computes with integers of thousands of digits.
HUGE = {
    "divide": "return 10 ** 20000 // (10 ** 5000 + 1) % 97",
    "write": "return len(str(3 ** 100000))",
    "read": "return int('7' * 30000) % 97",
}
CODECS = ["ascii", "latin-1", "utf-8", "utf-16", "utf-32", "cp1252", "utf-7", "punycode", "idna", "unicode_escape"]


async def test_they_work_inside() -> None:
    async with ForkServerSandbox.open() as sandbox:
        for name, expression in USES.items():
            source = f"import {name}\ndef f():\n    return {expression}"
            outcomes = [(await sandbox.run(Program(source, (Call("f", ()),)), replica=r)).outcomes[0] for r in (0, 1)]
            assert outcomes[0].status is Status.VALUE, (name, outcomes[0])
            assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE)
async def test_huge_integers_work_inside(body: str) -> None:
    async with ForkServerSandbox.open() as sandbox:
        source = f"import sys\nsys.set_int_max_str_digits(0)\ndef f(): {body}"
        outcome = (await sandbox.run(Program(source, (Call("f", ()),)))).outcomes[0]
        assert outcome.status is Status.VALUE, outcome


@pytest.mark.parametrize("codec", CODECS)
async def test_codecs_work_inside(codec: str) -> None:
    async with ForkServerSandbox.open() as sandbox:
        program = Program(f"def f(x):\n    return x.encode({codec!r}).decode({codec!r})", (Call("f", ("plain",)),))
        assert (await sandbox.run(program)).outcomes[0].value == "plain"


# Ways to what a narrow interpreter does not hold that no import statement shows, with what comes of them.
HIDDEN = {
    "str(__import__('deci' + 'mal').Decimal('0.5'))": "0.5",
    "__import__('urllib').parse.quote('a b')": "a%20b",
    "str(__import__('date' + 'time', fromlist=['date']).date(2024, 2, 3))": "2024-02-03",
    "exec('from fractions import Fraction as g', globals()) or str(g(1, 3))": "1/3",
    "eval(chr(39) + chr(92) + 'N{BULLET}' + chr(39))": "\u2022",
    "'x'.encode('cp437').decode('utf-7')": "x",
}


@pytest.mark.parametrize("expression", HIDDEN)
async def test_a_program_that_wants_more_is_run_where_there_is_more(expression: str) -> None:
    source = f"def f():\n    try:\n        return {expression}\n    except BaseException as e:\n        return repr(e)"
    assert not wants_wide(source)
    async with ForkServerSandbox.open() as sandbox:
        assert (await sandbox.run(Program(source, (Call("f", ()),)))).outcomes[0].value == HIDDEN[expression]


MISSING = ("os", "urllib.request", "json.tool", "no_such_module", "encodings.cp037", "datetime.x")


@pytest.mark.parametrize("name", MISSING)
async def test_what_no_interpreter_offers_is_missing_in_both_kinds(name: str) -> None:
    async with ForkServerSandbox.open() as sandbox:
        for first in ("", "import decimal\n"):
            source = f"{first}def f():\n    __import__({name!r})"
            outcome = (await sandbox.run(Program(source, (Call("f", ()),)))).outcomes[0]
            assert (outcome.status, outcome.error) == (Status.EXCEPTION, "ModuleNotFoundError"), (first, outcome)


async def test_a_forged_wish_for_more_is_a_crash() -> None:
    async with ForkServerSandbox.open() as sandbox:
        source = f"import sys\ndef f():\n    sys.modules['os']._exit({protocol.WANTS_WIDE})"
        assert (await sandbox.run(Program(source, (Call("f", ()),)))).outcomes[0].status is Status.CRASHED


def test_what_a_source_plainly_imports() -> None:
    for name in ALLOWED:
        for statement in (f"import {name}", f"from {name} import x", f"if 1:\n    import math, {name} as y"):
            assert wants_wide(statement) == (name not in COMMON), statement
    assert not wants_wide("array = [1]  # import\ndef csv(queue): return queue")


def test_looking_for_imports_takes_linear_time() -> None:
    for hostile in ("import " * 300_000, "import " + "a," * 1_000_000, "import a, b\n" * 200_000, " " * 2_000_000):
        started = time.process_time()
        assert not wants_wide(hostile)
        assert time.process_time() - started < 2
