"""Tuwen (图文, "picture and text"): vision-language models, pretrained, evaluated and used."""

__version__ = "0.1.0"
