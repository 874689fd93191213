"""The page of a run: figures beside their floors, curves, what came out right and wrong; in Chinese and English."""
