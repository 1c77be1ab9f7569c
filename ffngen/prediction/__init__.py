"""Estimating the flow of a user's own images and videos."""
