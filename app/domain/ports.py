"""The promises that plug-ins keep. One contract suite per port runs over every plug-in found (tests/contracts)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NoReturn, Protocol, runtime_checkable

from pydantic import BaseModel

from app.domain.difficulty import Band
from app.domain.problem import Draft, Judgement, Message, Problem, Reply
from app.domain.reasons import Reason
from app.domain.tree import Brief, Node, Step
from app.domain.values import Arguments, Value

# --- Sandbox ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use, all its calls together."""

    wall_ms: int = 1_000
    cpu_ms: int = 1_000
    memory_mb: int = 256
    output_bytes: int = 1 << 20  # all encoded values together


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function that the program defines."""

    function: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Program:
    """Untrusted source and the calls to make, all in one isolated process, in order."""

    source: str
    calls: tuple[Call, ...]
    limits: Limits = Limits()


class Status(StrEnum):
    """How one call ended. All but `VALUE` are the program's own doing; our trouble raises SandboxUnavailable."""

    VALUE = "value"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    UNSUPPORTED = "unsupported"  # the result is no plain value: see app.domain.values
    CRASHED = "crashed"  # exit, signal, or a broken result channel


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one call. `error` names the exception type; `loading` tells that the module itself failed.

    Calls after the one that ended the process carry that call's status.
    """

    status: Status
    value: Value = None
    error: str = ""
    detail: str = ""
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Execution:
    """One outcome per call, in order, with what was used."""

    outcomes: tuple[Outcome, ...]
    wall_us: int
    cpu_us: int
    max_rss_kb: int


class Isolation(StrEnum):
    """Named levels, strongest first; see docs/sandbox.md for the layers of each."""

    FULL = "full"  # namespaces, landlock, seccomp
    CONTAINED = "contained"  # landlock and seccomp: a container that forbids namespaces
    FILTERED = "filtered"  # seccomp with opening files denied


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of isolation. `obstacle` is why it does not stand, `remedy` what would help; both empty if it does."""

    name: str
    obstacle: str = ""
    remedy: str = ""


class Sandbox(Protocol):
    """Runs untrusted programs; awaited from one event loop.

    Replicas differ in their hash seed and share no process, so that running a program on two of them shows whether
    it is deterministic.
    """

    name: ClassVar[str]

    @classmethod
    def open(
        cls,
        *,
        preload: Sequence[str] = (),
        libraries: Sequence[str] = (),
        size: int = 1,
        minimum: Isolation = Isolation.FILTERED,
    ) -> AbstractAsyncContextManager[Sandbox]:
        """A pool with `size` processes per replica that have imported `preload` before any program runs.

        `libraries` names installed ones beyond the standard library that programs may import. Raises IsolationTooWeak,
        with the remedy, where this machine gives less than `minimum`.
        """
        ...

    @property
    def isolation(self) -> Isolation: ...

    @property
    def layers(self) -> Sequence[Layer]: ...

    async def run(self, program: Program, *, replica: int = 0) -> Execution:
        """Raises SandboxUnavailable (retryable) where the isolation itself failed; never for what a program does."""
        ...


class SandboxFactory(Protocol):
    """Opens a sandbox of the configured method and minimum isolation.

    `preload` names modules whose code the program may import although no file can be read inside.
    """

    def __call__(self, *, preload: Sequence[str] = ()) -> AbstractAsyncContextManager[Sandbox]: ...


# --- Environments ----------------------------------------------------------------------------------------------


class Environment(Protocol):
    """A kind of verifiable problem."""

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str]  # raised whenever checking, presenting or verifying changes
    Options: ClassVar[type[BaseModel]]  # the environment's own settings, all with defaults
    reasons: ClassVar[Mapping[str, Reason]]  # what its machine names mean: the common ones and its own

    def parse(self, reply: str) -> Draft:
        """Cuts the reply into its blocks. Raises InvalidProposal."""
        ...

    async def check(self, draft: Draft, sandbox: Sandbox, options: BaseModel) -> Problem:
        """Executes the draft twice for its gold outputs. Raises InvalidProposal."""
        ...

    def present(self, problem: Problem) -> Mapping[str, Value]:
        """What the student may see, and nothing else: the variables of its prompt templates."""
        ...

    async def verify(self, problem: Problem, replies: Sequence[str], sandbox: Sandbox) -> list[Judgement]:
        """One judgement per reply. Infrastructure trouble becomes Verdict.ERROR for the replies that it hit."""
        ...

    def reference_answer(self, problem: Problem) -> str:
        """A reply that passes, made from the gold values: for tests, exports and the review screen."""
        ...


# --- Engines ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProposalRequest:
    """One proposal to write: the facts and the prompt rendered from them."""

    brief: Brief
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class AttemptRequest:
    """`n` independent attempts at one problem. `view` is what `Environment.present` gave.

    `chat` renders the prompt for chat models, `plain` that for base models; the engine's options say which is used. A
    plain one is continued up to `stop`.
    """

    environment: str
    view: Mapping[str, Value]
    chat: Callable[[], tuple[Message, ...]]
    plain: Callable[[], str]
    n: int
    rng: int
    stop: str = ""


class Teacher(Protocol):
    async def propose(self, request: ProposalRequest) -> Reply:
        """Raises EngineError: `retryable` tells whether asking again can help."""
        ...


class Student(Protocol):
    async def attempt(self, request: AttemptRequest) -> list[Reply]:
        """Exactly `n` replies, or EngineError and none."""
        ...


class Embedder(Protocol):
    @property
    def most(self) -> int:
        """Texts that one call may hold."""
        ...

    @property
    def at_once(self) -> int:
        """Calls that are worth making at the same time."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, or EngineError and none: finite numbers, not all 0, as many in each."""
        ...


@dataclass(frozen=True, slots=True)
class Load:
    """What a model's servers say of themselves, all together. A request for n samples is n sequences."""

    running: int
    waiting: int
    cache: float  # how full the KV cache is, 0 to 1; of several servers the fullest
    preempted: int  # sequences, since the servers started
    # Tokens since the servers started: written; looked for in the prefix cache, and found there.
    generated: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server as this process sees it. `load` is what it said when last asked; None where it tells nothing."""

    address: str
    model: str
    away: bool  # its circuit is open: no request goes there until a probe finds it answering
    under_way: int  # samples asked for and not answered
    load: Load | None


@runtime_checkable
class Metered(Protocol):
    """What a teacher or student behind servers offers besides, so that a lane asks as much of them as they take."""

    @property
    def ceiling(self) -> int:
        """Sequences that one lane may have under way at most."""
        ...

    async def load(self) -> Load | None:
        """None where the servers tell nothing, or can't be reached just now. Never raises EngineError."""
        ...

    def servers(self) -> Sequence[ServerState]:
        """Each of them, as `load` found them last. Asks nobody."""
        ...


class Turns(Protocol):
    """Times in which a model that shares its GPUs with others may be asked."""

    async def hold(self, begun: Callable[[], None], contested: Callable[[], None]) -> NoReturn:
        """Calls `begun` once the turn has come, and keeps it until cancelled. Raises EngineError where it is lost.

        `contested` is called once others have waited so long that the turn should be given back soon.
        """
        ...


@runtime_checkable
class TakesTurns(Protocol):
    """What a teacher or student behind servers that sleep offers besides."""

    @property
    def turns(self) -> Turns | None:
        """None where the servers have their GPUs for themselves."""
        ...


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What a worker lends to its engines."""

    open_sandbox: SandboxFactory
    parallel: int = 1  # processes that an engine of our own may keep busy


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings under which a well-known model is asked and, by vLLM, served.

    `teacher` and `student` are options of the engine, without addresses; empty for a role that the model can't take.
    """

    title: str
    source: str  # its name on the Hugging Face hub
    teacher: Mapping[str, object]
    student: Mapping[str, object]
    flags: Mapping[str, object]  # of `vllm serve`
    weights_gib: float  # GPU memory that the weights alone take

    def options(self, role: str) -> Mapping[str, object]:
        return {"teacher": self.teacher, "student": self.student}.get(role, {})


class Engine(Protocol):
    """A source of teachers and students. Opened once per lane, as an async context manager."""

    name: ClassVar[str]
    title: ClassVar[str]
    TeacherOptions: ClassVar[type[BaseModel]]
    StudentOptions: ClassVar[type[BaseModel]]
    follows_text: ClassVar[bool]  # False: its teacher does not understand what a person asks for in words
    profiles: ClassVar[Mapping[str, Profile]]  # by name; none for an engine that runs no model of others

    def teacher(self, options: BaseModel, context: EngineContext) -> AbstractAsyncContextManager[Teacher]: ...

    def student(self, options: BaseModel, context: EngineContext) -> AbstractAsyncContextManager[Student]: ...


@runtime_checkable
class Embeds(Protocol):
    """What an engine offers besides whose models turn texts into vectors."""

    EmbedderOptions: ClassVar[type[BaseModel]]

    def embedder(self, options: BaseModel, context: EngineContext) -> AbstractAsyncContextManager[Embedder]: ...


# --- Strategies ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of progression that a run sets."""

    turns: int
    branching: int
    target: Band


class Strategy(Protocol):
    """Decides the next turn from the finished ones; pure and deterministic."""

    name: ClassVar[str]
    title: ClassVar[str]
    remembers: ClassVar[bool]  # False: the teacher is told nothing of earlier turns (the baseline)

    def next(self, nodes: Sequence[Node], plan: Plan) -> Sequence[Step]:
        """The steps of the next turn, one per branch; empty when the chain is done."""
        ...


# --- Exporters -------------------------------------------------------------------------------------------------


class Exporter(Protocol):
    """Writes the wide rows of a frozen curriculum version in one file format, byte-identical every time."""

    name: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str]
    media_type: ClassVar[str]

    def render(self, rows: Sequence[Mapping[str, object]]) -> bytes: ...
