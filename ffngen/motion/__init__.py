"""Motion: the sequences of frames that a parameter set becomes."""
