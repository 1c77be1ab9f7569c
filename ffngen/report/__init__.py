"""The results of several runs as one page: the papers' Tables 2, 3 and 4 for one's own models."""
