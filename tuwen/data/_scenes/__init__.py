"""The procedural world behind the `scenes` part: its content, its pictures and its language, each on its own."""
