"""What a run says of the procedural teacher and student."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TeacherOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    unchecked: float = Field(
        default=0.05,
        ge=0,
        le=1,
        title="Unchecked share",
        description="Share of proposals sent without trying them out, some of which turn out invalid and need repair.",
    )


class StudentOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: float = Field(
        default=1.0,
        gt=0,
        le=64,
        allow_inf_nan=False,
        title="Budget",
        description="Effort per attempt: below 1 a weaker student, above 1 a stronger one.",
    )
