"""What `sat2map bench` measures."""
