"""Property testing: from a program and a property that it mostly has, find an input that breaks it."""

from app.environments.fuzzing.environment import Fuzzing

__all__ = ["Fuzzing"]
