"""Parameter sets from photos and videos: 2D landmarks, and a regularised fit of a head model to them."""
