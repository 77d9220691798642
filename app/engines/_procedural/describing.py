"""Says in words what an expression computes, so that a message tells what a function is for and quotes no code."""

from __future__ import annotations

import ast

from app.domain.values import render

_COMPARED = {
    ast.Eq: "equals",
    ast.NotEq: "differs from",
    ast.Lt: "is below",
    ast.LtE: "is at most",
    ast.Gt: "is above",
    ast.GtE: "is at least",
    ast.In: "occurs in",
    ast.NotIn: "does not occur in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
_ARITHMETIC = {
    ast.Add: "{a} plus {b}",
    ast.Sub: "{a} minus {b}",
    ast.Mult: "{a} times {b}",
    ast.Div: "{a} divided by {b}",
    ast.FloorDiv: "{a} divided by {b} and rounded down",
    ast.Mod: "the remainder of {a} modulo {b}",
    ast.Pow: "{a} to the power {b}",
    ast.BitAnd: "the bitwise and of {a} and {b}",
    ast.BitOr: "the bitwise or of {a} and {b}",
    ast.BitXor: "the exclusive or of {a} and {b}",
    ast.LShift: "{a} shifted left by {b} bits",
    ast.RShift: "{a} shifted right by {b} bits",
}
_FUNCTIONS = {
    "len": "the length of {0}",
    "sum": "the sum of {0}",
    "max": "the largest of {0}",
    "min": "the smallest of {0}",
    "sorted": "{0}, sorted",
    "reversed": "{0} in reverse order",
    "abs": "{0} without its sign",
    "str": "{0} written as text",
    "repr": "the Python spelling of {0}",
    "int": "{0} as an integer",
    "float": "{0} as a floating-point number",
    "bool": "whether {0} is true",
    "list": "the items of {0} as a list",
    "tuple": "the items of {0} as a tuple",
    "dict": "{0} as a dictionary",
    "set": "the distinct items of {0}",
    "ord": "the code point of {0}",
    "chr": "the character with code point {0}",
    "bin": "{0} in binary",
    "hex": "{0} in hexadecimal",
    "any": "whether any of {0} is true",
    "all": "whether all of {0} are true",
    "range": "the numbers below {0}",
    "enumerate": "{0}, each with its position",
    "round": "{0}, rounded",
    "map": "the values of {1}, each put through {0}",
}
_METHODS = {
    "lower": "{o} in lower case",
    "upper": "{o} in upper case",
    "title": "{o} with each word capitalised",
    "capitalize": "{o} with a capital first letter",
    "swapcase": "{o} with upper and lower case swapped",
    "strip": "{o} without surrounding {0}",
    "lstrip": "{o} without leading {0}",
    "rstrip": "{o} without trailing {0}",
    "split": "the parts of {o} between {0}",
    "rsplit": "the parts of {o} between {0}, from the right",
    "splitlines": "the lines of {o}",
    "join": "{0} joined with {o}",
    "replace": "{o} with every {0} replaced by {1}",
    "startswith": "whether {o} starts with {0}",
    "endswith": "whether {o} ends with {0}",
    "find": "the first position of {0} in {o}, or -1",
    "rfind": "the last position of {0} in {o}, or -1",
    "index": "the first position of {0} in {o}",
    "count": "how often {0} occurs in {o}",
    "partition": "what stands before, at and after the first {0} in {o}",
    "rpartition": "what stands before, at and after the last {0} in {o}",
    "isdigit": "whether {o} has only digits",
    "isalpha": "whether {o} has only letters",
    "isalnum": "whether {o} has only letters and digits",
    "isspace": "whether {o} is only white space",
    "isupper": "whether {o} is in upper case",
    "islower": "whether {o} is in lower case",
    "isidentifier": "whether {o} is an identifier",
    "zfill": "{o} filled with zeros to width {0}",
    "ljust": "{o} padded on the right to width {0}",
    "rjust": "{o} padded on the left to width {0}",
    "center": "{o} centred in width {0}",
    "removeprefix": "{o} without the prefix {0}",
    "removesuffix": "{o} without the suffix {0}",
    "encode": "{o} as bytes",
    "decode": "{o} as text",
    "hex": "{o} in hexadecimal",
    "get": "the entry {0} of {o}",
    "items": "the entries of {o}",
    "keys": "the keys of {o}",
    "values": "the values of {o}",
    "copy": "a copy of {o}",
    "bit_length": "the number of bits of {o}",
}
_BLANK = {"strip": "white space", "lstrip": "white space", "rstrip": "white space", "split": "white space"}
_PLACES = {0: "the first item of", 1: "the second item of", 2: "the third item of", -1: "the last item of"}


class Unspeakable(Exception):
    """An expression that has no short description."""


def describe(node: ast.expr, noun: str = "value") -> str:
    """A noun phrase for the value of an expression; `noun` says what the value so far is. Raises Unspeakable."""
    uses = sum(isinstance(name, ast.Name) and name.id == "_" for name in ast.walk(node))
    return _Speaker("it" if uses == 1 else f"the {noun}").say(node)


def quoted(value: object) -> str:
    """A constant as it stands in a message."""
    return {" ": "spaces", "": "nothing"}.get(value, render(value)) if isinstance(value, str) else render(value)


class _Speaker:
    def __init__(self, it: str) -> None:
        self._it = it
        self._bound: set[str] = set()  # by comprehensions

    def say(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id="_"):
                return self._it
            case ast.Name(id=name):
                return name if name in self._bound else f"`{name}`"
            case ast.Constant(value=value):
                return quoted(value)
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod(), right=right):
                return f"the text {quoted(text)} filled in with {self.say(right)}"
            case ast.BinOp(left=left, op=op, right=right):
                return _ARITHMETIC[type(op)].format(a=self.say(left), b=self.say(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"minus {self.say(operand)}"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"whether not ({self._claim(operand)})"
            case ast.BoolOp(op=op, values=values):
                joint = " and " if isinstance(op, ast.And) else " or "
                return joint.join(self.say(value) for value in values)
            case ast.Compare():
                return f"whether {self._claim(node)}"
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"{self.say(body)} if {self._claim(test)}, otherwise {self.say(orelse)}"
            case ast.Subscript(value=value, slice=place):
                return self._part(value, place)
            case ast.Call():
                return self._call(node)
            case ast.ListComp(elt=elt, generators=[clause]) | ast.GeneratorExp(elt=elt, generators=[clause]):
                return self._collection(elt, clause)
            case ast.Tuple(elts=items) | ast.List(elts=items) if items and all(
                isinstance(item, ast.Constant) for item in items
            ):
                return render(ast.literal_eval(node))
            case ast.Tuple(elts=items) | ast.List(elts=items) if items:
                made = "tuple" if isinstance(node, ast.Tuple) else "list"
                return f"the {made} of {', '.join(map(self.say, items))}"
            case ast.JoinedStr(values=values):
                return "the text " + " followed by ".join(map(self.say, values))
            case ast.FormattedValue(value=value, format_spec=None):
                return self.say(value)
        raise Unspeakable(type(node).__name__)

    def _claim(self, node: ast.expr) -> str:
        """A condition as a clause."""
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"{self.say(left)} {_COMPARED[type(op)]} {self.say(right)}"
            case ast.BoolOp(op=op, values=values):
                return (" and " if isinstance(op, ast.And) else " or ").join(map(self._claim, values))
            case ast.Compare(left=left, ops=[op, *ops], comparators=[right, *rest]):
                first = ast.Compare(left, [op], [right])
                return f"{self._claim(first)} and {self._claim(ast.Compare(right, ops, rest))}"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"not ({self._claim(operand)})"
            case ast.BinOp(op=ast.Mod(), left=left, right=right):
                return f"{self.say(left)} is no multiple of {self.say(right)}"
        said = self.say(node)
        return said.removeprefix("whether ") if said.startswith("whether ") else f"{said} is not empty or zero"

    def _part(self, value: ast.expr, place: ast.expr) -> str:
        whole = self.say(value)
        match place:
            case ast.Constant(value=int(number)) if number in _PLACES:
                return f"{_PLACES[number]} {whole}"
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
                return f"{_PLACES[-1]} {whole}"
            case ast.Slice(lower=None, upper=None, step=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))):
                return f"{whole} in reverse order"
            case ast.Slice(lower=lower, upper=upper, step=None):
                start = f" from position {self.say(lower)}" if lower else ""
                end = f" up to position {self.say(upper)}, not included" if upper else ""
                return f"{whole}{start}{end}"
            case ast.Slice(lower=None, upper=None, step=ast.expr() as step):
                return f"every item of {whole} at a multiple of {self.say(step)}"
            case ast.Slice():
                raise Unspeakable("slice")
        return f"the item of {whole} at {self.say(place)}"

    def _call(self, node: ast.Call) -> str:
        said = [self.say(argument) for argument in node.args]
        try:
            match node.func:
                case ast.Name(id=name) if not node.keywords:
                    return _FUNCTIONS[name].format(*said)
                case ast.Attribute(value=owner, attr=method) if not node.keywords:
                    return _METHODS[method].format(*(said or [_BLANK.get(method, "")]), o=self.say(owner))
        except (KeyError, IndexError):
            pass  # not among the words above
        raise Unspeakable("call")

    def _collection(self, elt: ast.expr, clause: ast.comprehension) -> str:
        self._bound |= {name.id for name in ast.walk(clause.target) if isinstance(name, ast.Name)}
        conditions = " and ".join(map(self._claim, clause.ifs))
        whole = self.say(clause.iter)
        kept = f" where {conditions}" if conditions else ""
        if isinstance(clause.target, ast.Name) and isinstance(elt, ast.Name) and elt.id == clause.target.id:
            return f"each {elt.id} of {whole}{kept}"
        return f"{self.say(elt)}, for each {ast.unparse(clause.target).strip('()')} of {whole}{kept}"
