"""The composition root: YAML, checked, to objects. The only room that turns names into things."""
