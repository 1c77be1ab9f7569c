"""Labels beyond flow, mask and depth: of the stored vertices, or of a captured avatar's Gaussians, without Blender."""
