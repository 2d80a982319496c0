"""Pictures with two labels: folders, lists, the hub, and the drawn world."""
