"""Requests to render processes, their results, and the local pool that runs them."""
