import os

from tuwen.report.machine import describe_machine


def test_it_says_what_computed():
    machine = describe_machine()
    assert machine["processor"]
    assert 1 <= machine["cores"] <= os.cpu_count()
    assert machine["torch"].startswith("2.")
    assert all(isinstance(value, str | int) for value in machine.values())
