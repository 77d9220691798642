"""vLLM servers: one, or several replicas of a model, or one that shares its GPUs with another model."""

from app.engines.vllm.engine import VLLMEngine

__all__ = ["VLLMEngine"]
