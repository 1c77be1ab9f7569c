"""Labels beyond flow, mask and depth: computed from the stored vertices and camera, without Blender."""
