"""Any server that speaks the OpenAI API: vLLM, SGLang, llama.cpp, a router before them, or a paid service."""

from app.engines.openai.engine import OpenAIEngine

__all__ = ["OpenAIEngine"]
