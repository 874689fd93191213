"""Attention, blocks and pooling: what anything with weights is made of."""
