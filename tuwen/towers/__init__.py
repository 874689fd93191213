"""Weights for one modality: image towers and text towers."""
