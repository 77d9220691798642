"""Program synthesis: from a message and some pairs, write the program."""

from app.environments.induction.environment import Induction

__all__ = ["Induction"]
