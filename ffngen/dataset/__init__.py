"""Datasets on disk: the layout, the metadata, reading, and checking against the stored geometry."""
