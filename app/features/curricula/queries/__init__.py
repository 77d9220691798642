"""Every select of the curricula feature, scoped by workspace."""

from app.features.curricula.queries.frozen import ItemKey, add_items, item_counts, item_keys, item_rates, items
from app.features.curricula.queries.origin import Facts, facts
from app.features.curricula.queries.scope import (
    Choice,
    candidates,
    count_invalid,
    known_runs,
    run,
    runs,
    students,
)
from app.features.curricula.queries.versioned import (
    CurriculumRow,
    VersionRow,
    curricula,
    curriculum,
    curriculum_by_name,
    frozen_before,
    lock_curriculum,
    lock_names,
    now,
    same_revision,
    user_name,
    version,
    versions,
)

__all__ = [
    "Choice",
    "CurriculumRow",
    "Facts",
    "ItemKey",
    "VersionRow",
    "add_items",
    "candidates",
    "count_invalid",
    "curricula",
    "curriculum",
    "curriculum_by_name",
    "facts",
    "frozen_before",
    "item_counts",
    "item_keys",
    "item_rates",
    "items",
    "known_runs",
    "lock_curriculum",
    "lock_names",
    "now",
    "run",
    "runs",
    "same_revision",
    "students",
    "user_name",
    "version",
    "versions",
]
