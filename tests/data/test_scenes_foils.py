"""Foils: false, and true but for a word; held-out pairs stay where they are."""

from random import Random

from tuwen.data._scenes.foils import brief, foils
from tuwen.data.scenes import Attributes, Config, Reference, World, build

WORLD = World((1, 4), 0, 0.2)


def test_a_foil_is_the_text_but_for_one_word() -> None:
    rng, changed = Random(0), set()
    for _ in range(1000):
        things = WORLD.scene(rng).things
        told = brief(rng, things)
        wrong = foils(rng, told, WORLD.held_out_pairs, 3)
        assert all(reference.fits(thing.attributes) for reference, thing in zip(told, things, strict=True))
        assert 1 <= len(wrong) <= 3
        assert len({tuple(foil) for foil in wrong}) == len(wrong)
        for foil in wrong:
            (place,) = [i for i, (one, other) in enumerate(zip(told, foil, strict=True)) if one != other]
            (name,) = [n for n in Reference._fields if getattr(told[place], n) != getattr(foil[place], n)]
            assert None not in (getattr(told[place], name), getattr(foil[place], name))
            assert not foil[place].fits(things[place].attributes)
            changed.add(name)
    assert changed == set(Attributes._fields)


def test_being_held_out_does_not_tell_a_foil() -> None:
    rng = Random(1)
    for held_out in (False, True):
        for _ in range(500):
            told = brief(rng, WORLD.scene(rng, held_out).things)
            for foil in foils(rng, told, WORLD.held_out_pairs, 2):
                for one, other in zip(told, foil, strict=True):
                    pairs = [(reference.colour, reference.shape) in WORLD.held_out_pairs for reference in (one, other)]
                    assert pairs[0] == pairs[1]
                    assert held_out or not pairs[1]


def test_a_scene_offers_a_choice_in_each_language_and_is_otherwise_the_same() -> None:
    plain, with_foils = build(Config())["train"], build(Config(foils=2))["train"]
    for index in range(50):
        sample = with_foils[index]
        assert [choice.language for choice in sample.choices] == ["en", "zh"]
        assert all(choice.right not in choice.wrong and choice.wrong for choice in sample.choices)
        assert plain[index].choices == ()
        assert plain[index].captions == sample.captions
        assert plain[index].questions == sample.questions
