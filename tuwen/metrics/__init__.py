"""Numbers to report: arrays and texts in, plain floats out. No model, no gradient, no Java."""
