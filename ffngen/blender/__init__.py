"""The render process: the only package that imports bpy, and none imports it."""
