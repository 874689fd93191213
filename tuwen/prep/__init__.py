"""Samples to batches: pictures to uint8, texts to token ids, rows to padded tensors. No weights."""
