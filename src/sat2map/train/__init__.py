"""Training: a recipe, the two steps of a conditional GAN, one loop, and checkpoints that resume exactly."""
