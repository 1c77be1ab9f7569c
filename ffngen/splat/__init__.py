"""Gaussians on a head's triangles: colour and exact flow by splatting (Kerbl et al., 2023; Qian et al., 2024)."""
