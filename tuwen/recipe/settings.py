"""A setting remembers where it was given, through every merge, so that messages and `tuwen recipe show` can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuwen.core.rooms import KeyPath


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it was given.

    value: a `dict[str, Setting]`, a `list[Setting]`, or a plain scalar.
    origin: `recipes/quickstart.yaml:12`, `--set`, ...
    """

    value: Any
    origin: str

    @classmethod
    def given(cls, value: Any, origin: str) -> Setting:
        """A plain nested value that was given in one place."""
        if isinstance(value, dict):
            return cls({key: cls.given(item, origin) for key, item in value.items()}, origin)
        if isinstance(value, list):
            return cls([cls.given(item, origin) for item in value], origin)
        return cls(value, origin)

    def plain(self) -> Any:
        """The nested value without its origins."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def over(self, low: Setting) -> Setting:
        """This setting on top of another.

        Mappings are merged key by key; everything else replaces what lies below, null included. A part of another
        `kind` replaces the part below with all its settings. A mapping whose keys are all numbers of elements changes
        those elements of a list. What is merged keeps the origin of the lower one, each value its own.
        """
        if not isinstance(self.value, dict):
            return self
        if isinstance(low.value, dict) and self._same_part(low):
            below = low.value
            merged = {key: item.over(below[key]) if key in below else item for key, item in self.value.items()}
            return Setting({**below, **merged}, low.origin)
        if isinstance(low.value, list) and self.value.keys() <= {str(place) for place in range(len(low.value))}:
            changed = {int(key): item.over(low.value[int(key)]) for key, item in self.value.items()}
            return Setting([changed.get(place, item) for place, item in enumerate(low.value)], low.origin)
        return self

    def find(self, path: KeyPath) -> tuple[Setting, bool]:
        """The setting at `path` and True; where nobody set that, the nearest one above it and False."""
        here = self
        for key in path:
            try:
                here = here.value[key]
            except (KeyError, IndexError, TypeError):
                return here, False
        return here, True

    def _same_part(self, low: Setting) -> bool:
        kinds = [part.value["kind"].value for part in (self, low) if "kind" in part.value]
        return len(kinds) < 2 or kinds[0] == kinds[1]
