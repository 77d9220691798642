"""SQLAlchemy tables, one file per aggregate."""

from app.models.accounts import ApiToken, AuditEvent, Membership, SignInLink, User, WebSession, Workspace
from app.models.base import Base
from app.models.benchmarks import BenchmarkItem, BenchmarkSet, Overlap, RunBenchmark, RunCheck
from app.models.curricula import Curriculum, CurriculumItem, CurriculumVersion, Export
from app.models.embeddings import Embedding, RunEmbedding
from app.models.frozen import CREATE as _FROZEN  # noqa: F401 - its triggers belong to the metadata
from app.models.growths import Growth
from app.models.remeasurements import Remeasurement, RemeasurementItem
from app.models.runs import Chain, Event, Incident, LaneSlot, ModelProfile, Run
from app.models.seeds import Seed, SeedSet
from app.models.usage import StageUsage
from app.models.variants import Attempt, Decision, Measurement, Sketch, Variant

__all__ = [
    "ApiToken",
    "Attempt",
    "AuditEvent",
    "Base",
    "BenchmarkItem",
    "BenchmarkSet",
    "Chain",
    "Curriculum",
    "CurriculumItem",
    "CurriculumVersion",
    "Decision",
    "Embedding",
    "Event",
    "Export",
    "Growth",
    "Incident",
    "LaneSlot",
    "Measurement",
    "Membership",
    "ModelProfile",
    "Overlap",
    "Remeasurement",
    "RemeasurementItem",
    "Run",
    "RunBenchmark",
    "RunCheck",
    "RunEmbedding",
    "Seed",
    "SeedSet",
    "SignInLink",
    "Sketch",
    "StageUsage",
    "User",
    "Variant",
    "WebSession",
    "Workspace",
]
