"""Gradient steps: the one loop, its augmentation, the losses."""
