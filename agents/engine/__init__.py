"""Sampling with vLLM in this process: a thread that batches continuously, and takes new weights between its steps."""
