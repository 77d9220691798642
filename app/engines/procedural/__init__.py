"""An algorithm in place of language models: makes every part of Cairn run with no weights, no GPU and no network."""

from app.engines.procedural.engine import ProceduralEngine

__all__ = ["ProceduralEngine"]
