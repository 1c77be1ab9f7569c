"""What people wear and grow: hair, brows, lashes, glasses and collars as geometry that moves with the head."""
