"""English."""

from __future__ import annotations

from tuwen.data._scenes.language import Language, Noun, Words
from tuwen.data._scenes.world import Reference

WORDS: Words = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big"),
    "red": ("red",),
    "orange": ("orange",),
    "yellow": ("yellow",),
    "green": ("green",),
    "cyan": ("cyan", "turquoise"),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink",),
    "brown": ("brown",),
    "black": ("black",),
    "solid": ("solid", "plain", "filled"),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "spotted", "polka-dot"),
    "outlined": ("outlined", "hollow"),
    "circle": ("circle", "disc"),
    "square": ("square",),
    "triangle": ("triangle",),
    "star": ("star", "five-pointed star"),
    "cross": ("cross", "plus sign"),
    "diamond": ("diamond", "rhombus"),
    "heart": ("heart", "heart shape"),
    "semicircle": ("semicircle", "half-circle"),
    "thing": ("object",),
}


def phrase(adjectives: list[str], shape: str, after: str) -> str:
    """`a large red circle with stripes`."""
    text = " ".join([*adjectives, shape])
    article = "an" if text[0] in "aeiou" else "a"
    return f"{article} {text} {after}" if after else f"{article} {text}"


def noun(words: Words, reference: Reference) -> Noun:
    """`a red circle`, `the red circle`, `red circles`."""
    adjectives = [words[value][0] for value in reference[:3] if value]
    shape = words[reference.shape or "thing"][0]
    text = " ".join([*adjectives, shape])
    plural = "crosses" if shape == "cross" else f"{shape}s"
    return Noun(text, phrase(adjectives, shape, ""), f"the {text}", " ".join([*adjectives, plural]))


def join(phrases: list[str]) -> str:
    """`a, b and c`."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def split(text: str) -> list[str]:
    """The other way round."""
    return text.replace(" and ", ", ").split(", ")


_ANY = (
    "there is {list}",
    "a picture of {list}",
    "a picture with {list}",
    "an image that shows {list}",
    "one can see {list}",
    "{list} on a pale background",
)
_SOME = ("from left to right: {list}", "from right to left: {reversed}", "{reversed}, seen from the right")
_BESIDE = {"left": "to the left of", "right": "to the right of", "above": "above", "below": "below"}
_ANSWERS = (
    *("yes", "no", "left", "right", "above", "below", "top", "bottom"),
    *("more", "fewer", "larger", "smaller", "equal"),
)
ENGLISH = Language(
    code="en",
    words=WORDS,
    textures_after={
        "striped": ("with stripes",),
        "dotted": ("with dots", "with spots"),
        "outlined": ("drawn as an outline",),
    },
    adjective_orders=((0, 1, 2), (0, 2, 1), (2, 0, 1)),
    phrase=phrase,
    noun=noun,
    join=join,
    split=split,
    captions={
        1: (*_ANY, "only {0}", "{0}, nothing else", "just one object: {0}"),
        2: (
            *_ANY,
            *_SOME,
            "{0} to the left of {1}",
            "{1} to the right of {0}",
            "there is {0} to the left of {1}",
            "there is {1} to the right of {0}",
            "on the left {0}, on the right {1}",
            "on the right there is {1}, on the left {0}",
            "two objects: {0} and {1}",
        ),
        3: (
            *_ANY,
            *_SOME,
            "{1} between {0} on the left and {2} on the right",
            "{0} to the left of {1}, and {2} on the far right",
            "there is {2} to the right of {1}, and {0} on the far left",
            "on the left {0}, then {1}, on the right {2}",
            "three objects: {0}, {1} and {2}",
        ),
        4: (
            *_ANY,
            *_SOME,
            "{1} and {2} between {0} on the left and {3} on the right",
            "on the left {0}, then {1}, then {2}, on the right {3}",
            "four objects: {0}, {1}, {2} and {3}",
        ),
    },
    above=(
        "{0} above {1}",
        "{1} below {0}",
        "there is {0} above {1}",
        "there is {1} below {0}",
        "{0} higher up, {1} lower down",
    ),
    questions={
        "exists": ("Is there {a.one}?", "Is there {a.one} in the picture?", "Can you see {a.one}?"),
        "count": ("How many {a.many} are there?", "How many {a.many} can you see?", "What is the number of {a.many}?"),
        "colour": ("What colour is {a.the}?", "What is the colour of {a.the}?", "Which colour does {a.the} have?"),
        "shape": ("What shape is {a.the}?", "What is the shape of {a.the}?", "Which shape does {a.the} have?"),
        "size": ("What size is {a.the}?", "How large is {a.the}?", "Is {a.the} small or large?"),
        "texture": ("What texture does {a.the} have?", "What is the texture of {a.the}?", "How is {a.the} filled?"),
        "compare_numbers": ("More or fewer {a.many} than {b.many}?", "How many {a.many} compared with {b.many}?"),
        "compare_sizes": ("Is {a.the} larger or smaller than {b.the}?", "How large is {a.the} next to {b.the}?"),
        "horizontal": ("Is {a.the} left or right of {b.the}?", "Which side of {b.the} is {a.the} on?"),
        "vertical": ("Is {a.the} above or below {b.the}?", "Is {a.the} higher or lower than {b.the}?"),
        "side": ("Is {a.the} on the left or on the right?", "Which side is {a.the} on?"),
        "level": ("Is {a.the} at the top or at the bottom?", "Which half is {a.the} in, top or bottom?"),
        **{
            f"{side}_{asked}": (f"What {asked} is [the object {where} {{a.the}}]?",)
            for side, where in _BESIDE.items()
            for asked in ("colour", "shape")
        },
        "leftmost_colour": (
            "What colour is [the object on the far left]?",
            "What is the colour of [the leftmost object]?",
        ),
        "rightmost_colour": (
            "What colour is [the object on the far right]?",
            "What is the colour of [the rightmost object]?",
        ),
        "leftmost_shape": (
            "What shape is [the object on the far left]?",
            "What is the shape of [the leftmost object]?",
        ),
        "rightmost_shape": (
            "What shape is [the object on the far right]?",
            "What is the shape of [the rightmost object]?",
        ),
        "topmost_colour": ("What colour is [the object at the top]?", "What is the colour of [the highest object]?"),
        "bottommost_colour": (
            "What colour is [the object at the bottom]?",
            "What is the colour of [the lowest object]?",
        ),
        "topmost_shape": ("What shape is [the object at the top]?", "What is the shape of [the highest object]?"),
        "bottommost_shape": ("What shape is [the object at the bottom]?", "What is the shape of [the lowest object]?"),
    },
    answers={str(number): str(number) for number in range(5)} | {word: word for word in _ANSWERS},
)
