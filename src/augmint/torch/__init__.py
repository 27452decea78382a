"""Augmentation inside a PyTorch training loop."""
