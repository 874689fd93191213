"""The pre-flight: what training would meet in a recipe's data, found in seconds and before the first step."""
