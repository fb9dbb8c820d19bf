"""Faster layers that equal plain torch.nn layers; this room imports torch only."""
