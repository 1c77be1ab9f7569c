"""ffngen: exact facial optical flow, from head-model parameters to a verified dataset."""

__version__ = "0.1.0"
