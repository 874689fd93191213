"""What all rooms agree on: samples, batches, features, losses, parts and errors."""
