"""vLLM servers on the GPUs of this machine: started, watched, started again, and taking turns where they share one."""
