"""Input prediction: from a program and its output, find an input that gives it."""

from app.environments.abduction.environment import Abduction

__all__ = ["Abduction"]
