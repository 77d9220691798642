"""Output prediction: from a program and its input, say what it returns."""

from app.environments.deduction.environment import Deduction

__all__ = ["Deduction"]
