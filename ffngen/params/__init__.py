"""Parameter sets: what a tracker or the sampler says of one face."""
