"""Cameras, rigid transforms and projection (CONVENTIONS.md)."""
