"""All other methods, one file each; their list, and models on disk."""
