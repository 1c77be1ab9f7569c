"""Optical flow as files, colours and warps, and the decoding of Blender's passes."""
