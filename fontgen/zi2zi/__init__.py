"""Everything neural: networks, losses, training, checkpoints, inference. The only part that imports torch."""
