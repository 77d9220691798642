"""The one model of a run's parameters: the form, the API, the CLI and a YAML file all produce it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from app import registry
from app.domain.difficulty import BROAD, COMPLETE, KEPT, Band
from app.domain.ports import Embeds, Engine
from app.domain.text import UNSTORABLE, storable
from app.errors import AppError, InvalidForm, InvalidInput
from app.messages import by_field

# Of wrong texts that are told of, and of names in the path to one.
_FEW = 20

Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Strict):
    """Pass rates from `low` to `high`, both included."""

    low: Rate
    high: Rate

    @field_validator("high")
    @classmethod
    def _ordered(cls, high: float, info: ValidationInfo) -> float:
        if high < info.data.get("low", 0.0):
            raise ValueError("this must not lie below the lower end")
        return high

    @property
    def band(self) -> Band:
        return Band(self.low, self.high)


class SeedChoice(_Strict):
    """Which seeds: the first `count` of a set after `skip`, all of it by default."""

    set: str = Field(min_length=1, max_length=200, description="Name of the seed set.")
    count: int | None = Field(default=None, ge=1, le=100_000, description="How many seeds to use; all by default.")
    skip: int = Field(default=0, ge=0, le=10_000_000, description="How many seeds of the set to pass over first.")


class ModelChoice(_Strict):
    """An engine and its own options, checked by the engine's schema."""

    engine: str = Field(default="procedural", description="Where the model runs.")
    options: dict[str, object] = Field(default_factory=dict, description="Options of that engine.")
    # Not written where it is not used: workers of the version before read what this one writes.
    profile: str | None = Field(
        default=None,
        max_length=100,
        exclude_if=lambda name: name is None,
        description="A well-known model; its settings stand in for options left out. A run keeps the settings.",
    )


class Goal(_Strict):
    """Enough: so many usable variants in each of these broad bins, in every environment."""

    usable: int = Field(
        ge=1,
        le=1_000_000,
        title="Goal: usable variants",
        description="In each environment and bin; then no further seeds are taken.",
    )
    bins: list[str] = Field(
        default_factory=lambda: [bin_.name for bin_ in BROAD if bin_.name in COMPLETE],
        min_length=1,
        description="Bins that each need as many: easy, easy-medium, medium, hard.",
    )

    @field_validator("bins")
    @classmethod
    def _known_bins(cls, names: list[str]) -> list[str]:
        """In the order of difficulty, so that the same goal is written in one way."""
        known = [bin_.name for bin_ in BROAD]
        for name in names:
            if name not in known:
                raise ValueError(f"there is no bin {name!r}; known: {', '.join(known)}")
        return [name for name in known if name in names]


class Caps(_Strict):
    """The most that a run may spend; what is left out is not bounded. See app.features.runs.limits."""

    tokens: int | None = Field(
        default=None, ge=1, lt=2**63, title="Cap on tokens", description="Prompt and completion, of both models."
    )
    attempts: int | None = Field(
        default=None, ge=1, lt=2**63, title="Cap on attempts", description="By the student, in both arms."
    )
    hours: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        title="Cap on hours",
        description="Since its start, pauses included.",
    )
    money: float | None = Field(
        default=None,
        gt=0,
        le=1e12,
        allow_inf_nan=False,
        title="Cap on money",
        description="By the prices in CAIRN_PRICES.",
    )


class EarlyStop(_Strict):
    """When a chain of the run's own arm goes nowhere and leaves its other turns unspent; never, unless it is set."""

    invalid: int | None = Field(
        default=None,
        ge=2,
        le=64,
        title="Early stop: invalid",
        description="Chains give up after so many invalid proposals in a row.",
    )
    unmoved: int | None = Field(
        default=None,
        ge=2,
        le=64,
        title="Early stop: unmoved",
        description="Chains give up after so many turns in a row that none, or all, of the attempts solved.",
    )


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("this must be printable characters on one line")
    return text


def _within_attempts(minimum: int | None, info: ValidationInfo) -> int | None:
    attempts = info.data.get("attempts")
    if minimum is not None and attempts is not None and minimum > attempts:
        raise ValueError(f"there are only {attempts} attempts")
    return minimum


def minimum_of(minimum_verdicts: int | None, attempts: int) -> int:
    """Verdicts that a pass rate needs at least."""
    return minimum_verdicts or math.ceil(attempts * 0.75)


OneLine = Annotated[str, AfterValidator(_one_line)]
MinimumVerdicts = Annotated[  # a field behind `attempts`
    int | None,
    Field(ge=1, le=1024, description="Verdicts below which there is no pass rate; three quarters by default."),
    AfterValidator(_within_attempts),
]


class RunConfig(_Strict):
    """Everything that decides a run's result, and nothing else but its name."""

    name: OneLine = Field(default="", max_length=200, description="What the run is called in lists.")
    seeds: SeedChoice
    environments: list[str] = Field(
        default_factory=lambda: list(registry.environments()), min_length=1, description="Kinds of problems to grow."
    )
    environment_options: dict[str, dict[str, object]] = Field(
        default_factory=dict, description="Options per environment, such as visible_inputs for induction."
    )
    teacher: ModelChoice = Field(default_factory=ModelChoice, description="The model that writes problems.")
    student: ModelChoice = Field(default_factory=ModelChoice, description="The model that tries them.")
    strategy: str = Field(default="adaptive", description="How the next turn's direction is chosen.")
    turns: int = Field(default=6, ge=1, le=64, description="Turns per chain. The paper uses 6.")
    attempts: int = Field(
        default=32, ge=1, le=1024, description="Student attempts per problem. The paper: 32; 8 was too noisy."
    )
    branching: int = Field(default=1, ge=1, le=16, description="Proposals per turn.")
    target: Interval = Field(default=Interval(low=0.35, high=0.65), description="Pass rates that the teacher aims for.")
    kept: Interval = Field(
        default=Interval(low=KEPT.low, high=KEPT.high), description="Pass rates that count as usable."
    )
    minimum_verdicts: MinimumVerdicts = None
    compared_with: Literal["run", "workspace"] = Field(
        default="run",
        description="Where a similar program of another seed makes a variant unusable: in this run alone, or in older "
        "runs of the workspace too.",
    )
    baseline: bool = Field(default=True, description="Also run the single-turn baseline at the same budget.")
    until: Goal | None = Field(default=None, description="When it has enough: no further seeds are taken then.")
    caps: Caps = Field(default_factory=Caps, description="The most that it may spend.")
    early_stop: EarlyStop = Field(default_factory=EarlyStop, description="When a chain that goes nowhere stops.")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Random seed: the same seed gives the same run.")

    @field_validator("environments")
    @classmethod
    def _known_environments(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in registry.environments():
                raise ValueError(f"there is no environment {name!r}; known: {', '.join(registry.environments())}")
        if len(set(names)) != len(names):
            raise ValueError("each environment can be named once")
        return names

    @field_validator("strategy")
    @classmethod
    def _known_strategy(cls, name: str) -> str:
        if name not in registry.strategies():
            raise ValueError(f"there is no strategy {name!r}; known: {', '.join(registry.strategies())}")
        return name

    @property
    def minimum(self) -> int:
        """Verdicts that a pass rate needs at least."""
        return minimum_of(self.minimum_verdicts, self.attempts)

    @property
    def limited(self) -> bool:
        """Whether it may end before all chains are grown."""
        return self.until is not None or self.caps != Caps()

    def options_of(self, environment: str) -> BaseModel:
        """The environment's own options, validated by its schema."""
        return registry.environment(environment).Options.model_validate(self.environment_options.get(environment, {}))


def parse(data: object) -> RunConfig:
    """A RunConfig from plain data, with the options of plug-ins in the types that their schemas give them.

    Raises InvalidForm with one message per field.
    """
    if strange := strange_text(data):
        raise InvalidForm(strange)
    try:
        config = RunConfig.model_validate(data)
    except ValidationError as error:
        raise InvalidForm(by_field(error)) from error
    errors: dict[str, str] = {}
    environments: dict[str, dict[str, object]] = {}
    for name, options in config.environment_options.items():
        if name in config.environments:
            environment = registry.environment(name)
            environments[name] = _typed(environment.Options, options, f"environment_options.{name}", errors)
        else:
            errors[f"environment_options.{name}"] = (
                "This run does not use that environment; name it in `environments`, or leave this out."
            )
    models = {role: typed_choice(role, getattr(config, role), errors) for role in ("teacher", "student")}
    if errors:
        raise InvalidForm(errors)
    return config.model_copy(update={"environment_options": environments, **models})


def typed_choice(role: str, choice: ModelChoice, errors: dict[str, str]) -> ModelChoice:
    """The choice with its profile's options and its own, in the types that the engine's schema gives them.

    What is wrong goes to `errors`.
    """
    try:
        engine = registry.engine(choice.engine)
    except AppError as error:
        errors[f"{role}.engine"] = f"{error.message} {error.remedy}".strip()
        return choice
    schema = role_options(engine, role)
    if schema is None:
        able = [name for name, known in registry.engines().items() if role_options(known, role)]
        errors[f"{role}.engine"] = f"{engine.title} has no {role}. Choose one of: {', '.join(able)}."
        return choice
    try:
        settings = profile_options(engine, choice.profile, role)
    except InvalidInput as error:
        errors[f"{role}.profile"] = f"{error.message} {error.remedy}"
        return choice
    options = _typed(schema, {**settings, **choice.options}, f"{role}.options", errors)
    return choice.model_copy(update={"options": options, "profile": None})


def role_options(engine: Engine, role: str) -> type[BaseModel] | None:
    """What an engine takes in a role; None for one that it can't play."""
    if role == "embedder":
        return engine.EmbedderOptions if isinstance(engine, Embeds) else None
    return engine.TeacherOptions if role == "teacher" else engine.StudentOptions


def profile_options(engine: Engine, name: str | None, role: str) -> Mapping[str, object]:
    """What a profile says of a role; nothing without a name. Raises InvalidInput with the known names."""
    if not name:
        return {}
    known = {name: profile for name, profile in engine.profiles.items() if profile.options(role)}
    if name not in known:
        raise InvalidInput(
            f"There is no profile {name!r} of a {role} for this engine.",
            field="profile",
            remedy=f"Known: {', '.join(known)}." if known else "Leave it out.",
        )
    return known[name].options(role)


_Way = tuple["_Way | None", str]  # a name, after those that lead to it


def strange_text(data: object) -> dict[str, str]:
    """Dotted path -> what is wrong, for names and texts that hold NUL or half a surrogate pair; the first few of them.

    Data may be nested as deeply, and named as lengthily, as their reader allows: there is no recursion, and a path is
    written out only for what is wrong.
    """
    found: dict[str, str] = {}
    left: list[tuple[_Way | None, object]] = [(None, data)]
    while left and len(found) < _FEW:
        way, value = left.pop()
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        left += [((way, str(name)), inner) for name, inner in pairs]
        if (way and UNSTORABLE.search(way[1])) or (isinstance(value, str) and UNSTORABLE.search(value)):
            found[_path(way)] = "This holds NUL or half a surrogate pair, which is no text."
    return found


def _path(way: _Way | None) -> str:
    names: list[str] = []
    while way is not None and len(names) < _FEW:
        way, name = way
        names.append(name[:200])
    return storable(".".join(reversed(names)))


def _typed(schema: type[BaseModel], data: object, prefix: str, errors: dict[str, str]) -> dict[str, object]:
    """What was set of `data`, as JSON has it; what is wrong goes to `errors`."""
    try:
        return schema.model_validate(data).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        errors |= by_field(error, prefix)
        return {}


def to_yaml(config: RunConfig) -> str:
    """The configuration as a file that `from_yaml` and `cairn refine` read back."""
    return yaml.safe_dump(config.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML without aliases, a few lines of which can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias", problem_mark=mark)
        return super().compose_node(parent, index)


def from_yaml(text: str) -> RunConfig:
    """Raises InvalidInput where the text is no YAML mapping, InvalidForm where a field is wrong."""
    return parse(read_yaml(text))


def read_yaml(text: str) -> dict[str, object]:
    """Settings as they are written, not checked yet. Raises InvalidInput where the text is no YAML mapping."""
    try:
        data = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    # Besides its own errors, the reader lets through what its conversions meet: an impossible date, a tag on an
    # empty value, a number with thousands of digits.
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise InvalidInput(
            f"This can't be read as YAML{where}.",
            field="yaml",
            remedy="Check indentation, quotes, dates and tags; aliases are not read.",
        ) from error
    if not isinstance(data, dict):
        raise InvalidInput(
            "The file must hold a mapping of settings.", field="yaml", remedy="Write lines such as `name: value`."
        )
    return data
