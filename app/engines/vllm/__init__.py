"""vLLM servers that run already: one, or several replicas of a model."""

from app.engines.vllm.engine import VLLMEngine

__all__ = ["VLLMEngine"]
