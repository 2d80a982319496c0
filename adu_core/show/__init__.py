"""What people see: figures, timelines, and what answers to mouse and keyboard."""
