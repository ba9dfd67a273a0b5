"""The main job, shown by the command that shows it."""

from __future__ import annotations

from sfcutover.demo import STEPS

from .harness import Desk


def test_it_shows_the_main_job_to_people_and_to_programs(desk: Desk) -> None:
    desk.monkeypatch.setenv("SFCUTOVER_CONFIG", "not-for-the-demo.yaml")
    people, programs = desk.start("demo"), desk.start("demo", "--json")

    shown = people.result()
    assert (shown.code, shown.err) == (0, "")
    for step in STEPS:
        assert step.shows in shown.out
        assert f"$ sfcutover {' '.join(step.words)}" in shown.out
    assert "done: add-new is live on packaging" in shown.out
    assert "error: the evidence does not count" in shown.out
    assert "done: remove-old is live on packaging" in shown.out
    assert "done: restore-old is live on packaging" in shown.out
    assert "the org has changed since the plan was made" in shown.out
    assert "expected" not in shown.out

    told = programs.result()
    document = told.json("demo")
    assert (told.code, document["ok"], document["deployments"]) == (0, True, 3)
    assert [each["exit_code"] for each in document["steps"]] == [int(one.expected) for one in STEPS]
    assert "done: add-new is live on packaging" in told.err
