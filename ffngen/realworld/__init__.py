"""The papers' evaluation on real faces, on the user's own copies: flow at landmarks and at tracked vertices."""
