"""Training: a step, a device, a gradient."""
