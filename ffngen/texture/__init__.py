"""Textures from photographs: projected onto a head, freed of shading, blended and completed."""
