"""CLIPs that are loaded by name or file, and those whose towers are not open_clip's own ViT."""
