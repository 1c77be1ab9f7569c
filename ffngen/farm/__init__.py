"""Splitting a job and running it: shards, what runs note of themselves, executors, schedulers."""
