"""The frozen CLIP in plain sight, where it comes from, and how its pictures are made."""
