"""The memory of a decoder: rows of numbers that tell where they came from."""

import torch

from tuwen.layers.key_values import ROOM, KeyValues


def test_key_values_are_extended_and_selected_row_by_row() -> None:
    past = KeyValues(torch.arange(6.0).view(3, 1, 2, 1), -torch.arange(6.0).view(3, 1, 2, 1))
    longer = past.extend(torch.full((3, 1, 1, 1), 9.0), torch.full((3, 1, 1, 1), -9.0))
    assert longer.key[1].flatten().tolist() == [2, 3, 9]
    chosen = longer.select(torch.tensor([2, 0]))
    assert chosen.key[:, 0, :, 0].tolist() == [[4, 5, 9], [0, 1, 9]]
    assert chosen.value[:, 0, :, 0].tolist() == [[-4, -5, -9], [0, -1, -9]]


def numbered(rows: int, tokens: int, first: float = 0.0) -> KeyValues:
    """Key and value `[rows, 1, tokens, 1]` that tell rows and tokens apart; values are negative."""
    key = first + 100 * torch.arange(float(rows)).view(-1, 1, 1, 1) + torch.arange(float(tokens)).view(1, 1, -1, 1)
    return KeyValues(key, -key)


def test_reading_on_writes_into_the_room_behind_and_moves_nothing() -> None:
    past = numbered(2, 3).extend(*_new(2, 7.0))
    longer = past.extend(*_new(2, 8.0))
    assert longer.key.data_ptr() == past.key.data_ptr()
    assert longer.key[1].flatten().tolist() == [100, 101, 102, 7, 8]
    assert past.key[1].flatten().tolist() == [100, 101, 102, 7]


def test_two_ways_of_reading_on_do_not_write_over_each_other() -> None:
    past = numbered(1, 2).extend(*_new(1, 7.0))
    one, other = past.extend(*_new(1, 8.0)), past.extend(*_new(1, 9.0))
    assert one.key.flatten().tolist() == [0, 1, 7, 8]
    assert other.key.flatten().tolist() == [0, 1, 7, 9]
    assert other.value.flatten().tolist() == [0, -1, -7, -9]


def test_reading_on_far_beyond_the_room() -> None:
    past = numbered(2, 1)
    for number in range(1, 3 * ROOM):
        past = past.extend(*_new(2, float(number)))
    assert past.key[0].flatten().tolist() == list(range(3 * ROOM))


def test_gradients_flow_through_what_was_read_before() -> None:
    key = torch.ones(1, 1, 1, 1, requires_grad=True)
    past = KeyValues(key, key)
    for _ in range(3):
        past = past.extend(2 * key, key)
    past.key.pow(2).sum().backward()
    assert key.grad is not None
    assert float(key.grad) == 2 + 3 * 8


def test_rows_that_stay_take_the_places_of_those_that_left() -> None:
    past = numbered(5, 2).extend(*_new(5, 7.0))
    kept = past.keep(torch.tensor([0, 4, 2]))
    assert kept.key[:, 0].flatten(1).tolist() == [[0, 1, 7], [400, 401, 7], [200, 201, 7]]
    assert kept.key.data_ptr() == past.key.data_ptr()
    longer = kept.extend(*_new(3, 9.0))
    assert longer.value[:, 0].flatten(1).tolist() == [[0, -1, -7, -9], [-400, -401, -7, -9], [-200, -201, -7, -9]]
    assert longer.key.data_ptr() == past.key.data_ptr()


def test_rows_read_in_parts_stand_where_they_belong() -> None:
    """Behind a shorter part there is nothing, and what comes next stands behind the longest."""
    both = KeyValues.for_rows(numbered(1, 2), rows=3, tokens=3)
    both.put(torch.tensor([1]), numbered(1, 2, first=1.0))
    both.put(torch.tensor([2, 0]), numbered(2, 3))
    assert both.key[:, 0].flatten(1).tolist() == [[100, 101, 102], [1, 2, 0], [0, 1, 2]]
    assert both.extend(*_new(3, 9.0)).key[:, 0, -1, 0].tolist() == [9, 9, 9]


def _new(rows: int, value: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.full((rows, 1, 1, 1), value), torch.full((rows, 1, 1, 1), -value)
