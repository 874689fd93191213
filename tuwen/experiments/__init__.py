"""Whole experiments of papers, with their controls: several runs, a table beside the paper's, and a picture.

A file's name is the experiment's name. Each has `run(out, quick, sets, say)`, which trains what is not trained yet;
`runs.py` knows what that is.
"""
