"""From a chosen variant to its export row, and from the rows of a version to its revision."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from app import prompts, registry
from app.domain.export_row import ChatMessage, ExportRow, canonical
from app.domain.problem_codec import decode_problem, encode_problem
from app.domain.values import Value
from app.features.curricula.queries import Facts
from app.models import ModelProfile

_DATE = re.compile(r"\d{4}-\d\d")
_SURROGATES = re.compile("[\ud800-\udfff]")


def problem_id(environment: str, content_hash: str) -> str:
    """The name of a problem, equal wherever its content is: what trainers send back with an answer."""
    return f"{environment}-{content_hash.removeprefix('sha256:')[:16]}"


def export_row(facts: Facts, *, position: int, stage: int, difficulty: str, split: str = "train") -> ExportRow:
    """The wide row of one problem (app.domain.export_row). The prompt is the one for chat models."""
    problem = decode_problem(facts.problem)
    name = problem_id(facts.environment, facts.content_hash)
    truth = canonical({"env": facts.environment, "id": name})
    source = f"cairn/{facts.environment}"
    return {
        "id": name,
        "content_hash": facts.content_hash,
        "env": facts.environment,
        "position": position,
        "stage": stage,
        "difficulty": difficulty,
        "prompt": _prompt(facts.environment, registry.environment(facts.environment).present(problem)),
        "data_source": source,
        "ability": "code",
        "reward_model": {"style": "rule", "ground_truth": truth},
        "env_class": "cairn",
        "reward_spec": {"method": "rule", "ground_truth": truth},
        "extra_info": {"index": position, "id": name, "split": split, "env": facts.environment},
        "label": truth,
        "datasource": source,
        "problem": encode_problem(problem),
        "licence": licence(facts.seed_licence),
        "pass_rate": float(facts.rate),
        "passed": facts.passed,
        "n": facts.passed + facts.failed,
        "pass_rate_low": float(facts.low),
        "pass_rate_high": float(facts.high),
        "provenance": canonical(_provenance(facts)),
    }


def licence(text: str) -> str:
    """The seed's licence, `unknown` where there is none.

    Readers of JSON that guess types take a column of dates for timestamps; such a text gets the prefix that SPDX
    gives to licences outside its list.
    """
    name = text.strip() or "unknown"
    return f"LicenseRef-{name}" if _DATE.match(name) else name


def revision(header: dict[str, object], lines: Iterable[str]) -> str:
    """SHA-256 over the canonical JSON of the header and every row's text in order, each ended by a newline.

    The rows are the lines of the JSONL export, so whoever holds it and the manifest can compute the same.
    """
    digest = hashlib.sha256(f"{canonical(header)}\n".encode("ascii"))
    for line in lines:
        digest.update(f"{line}\n".encode("ascii"))
    return digest.hexdigest()


def profile(model: ModelProfile) -> dict[str, object]:
    """A teacher or student as exports name it. The engine's title says where no language model was at work."""
    engine = registry.engines().get(model.engine)
    return {
        "engine": model.engine,
        "title": engine.title if engine else model.engine,
        "model": model.model,
        "spec": model.spec,
        "digest": model.digest,
    }


def _prompt(environment: str, view: Mapping[str, Value]) -> list[ChatMessage]:
    messages = prompts.student_messages(environment, view)
    # No tokenizer, JSON reader or Parquet file takes half of a surrogate pair.
    return [{"role": m.role, "content": _SURROGATES.sub("\ufffd", m.content)} for m in messages]


def _known(facts: Facts) -> dict[str, object]:
    if facts.known_run is None:
        return {}
    place = {"run": facts.known_run, "turn": facts.known_turn, "branch": facts.known_branch}
    return {"similar_to": place | {"similarity": facts.known_similarity}}


def _provenance(facts: Facts) -> dict[str, object]:
    """Where the problem grew, how it was made and with what it was measured."""
    # Who asked is for Cairn to know: files of a curriculum go further than its people.
    asked = {} if facts.instruction is None else {"on_request": {"instruction": facts.instruction}}
    return (
        asked
        | _known(facts)
        | {
            "chain": {"run": facts.run_id, "position": facts.chain_position, "arm": facts.arm},
            "turn": facts.turn,
            "branch": facts.branch,
            "direction": facts.direction,
            "seed": {"kind": facts.seed_kind, "source": facts.seed_source, "sha256": facts.seed_digest},
            "environment_version": facts.environment_version,
            "isolation": facts.isolation,
            "teacher": facts.teacher.digest,
            "teacher_prompt": facts.prompt_hash,
            "measurement": {
                "student": facts.student.digest,
                "prompt": facts.measured_prompt_hash,
                "isolation": facts.measured_isolation,
                "errors": facts.errors,
                "cut": facts.cut,
            },
        }
    )
