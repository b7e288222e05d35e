"""Greedy answers in batches: how many fit, how they are decoded, and steps of one shape captured as CUDA graphs."""
