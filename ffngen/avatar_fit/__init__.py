"""Fitting an avatar's Gaussians to pictures of the person: rendered datasets, or captured views with a tracked head."""
