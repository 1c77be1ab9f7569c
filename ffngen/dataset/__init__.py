"""Datasets on disk: the layout, the metadata, reading, and checking against the stored geometry."""

from ffngen.dataset.read import FlowDataset, Pair

__all__ = ["FlowDataset", "Pair"]
