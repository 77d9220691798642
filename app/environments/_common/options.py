"""The settings that every environment has; recorded with each problem, so that it is verified the same way later."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.domain.ports import Limits


class CommonOptions(BaseModel):
    """Bounds on programs and values. Plain JSON values only, all with defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wall_ms: int = Field(
        default=1_000, ge=10, le=60_000, title="Time limit", description="Milliseconds for one program, all its calls."
    )
    memory_mb: int = Field(
        default=256, ge=16, le=4_096, title="Memory limit", description="Megabytes that one program may use."
    )
    program_chars: int = Field(
        default=12_000, ge=100, le=100_000, title="Longest program", description="Characters of the teacher's code."
    )
    value_chars: int = Field(
        default=2_000, ge=10, le=100_000, title="Longest value", description="Characters of an input or output."
    )

    @property
    def limits(self) -> Limits:
        return Limits(wall_ms=self.wall_ms, cpu_ms=self.wall_ms, memory_mb=self.memory_mb)
