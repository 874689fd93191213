"""The command line: one short file a command.

A file's name is the command's name (`_` reads as `-`), and its `command` is a function, or a `typer.Typer` with further
commands. `PANEL` says under which heading of `tuwen --help` it stands. Such a file imports nothing heavy at its top:
what a command needs, it imports when it runs.
"""
