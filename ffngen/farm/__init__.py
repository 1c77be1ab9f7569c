"""Splitting a job and running it."""
