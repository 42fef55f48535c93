"""The run on disk: layout, writing chain by chain, checkpoints, and what makes two runs the same experiment."""
