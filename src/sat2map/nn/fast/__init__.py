"""Layers that equal plain `torch.nn` layers in weights and results, and train faster."""
