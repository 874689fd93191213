"""The one model, with optional parts, and its forward pass."""
