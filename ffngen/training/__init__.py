"""Training networks on ffngen's datasets and on the public ones: data, augmentation, losses, the loop."""
