"""How different a dataset's people, expressions, motions, skins, poses and lights are, measured on its files."""
