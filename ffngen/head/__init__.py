"""The head model: loading, its stages from parameters to vertices, its surface."""
