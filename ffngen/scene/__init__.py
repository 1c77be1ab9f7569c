"""What is to be rendered, as plain data; no Blender here."""
