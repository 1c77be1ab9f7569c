"""What a head looks like and what surrounds it: textures, materials, light, backgrounds; as plain data."""
