"""Events: as a document, by their data, and those of a single command."""

from __future__ import annotations

from sfcutover.runs.event import CommandLog, Event, EventDocument, EventList, event_row


def test_a_document_has_every_part_of_its_event() -> None:
    event = Event(7, "move.1", 1.5, "sent", "add-new", "eu", {"id": "0Af1"})
    assert EventDocument.of(event).model_dump(by_alias=True) == {
        "schema": "sfcutover/event/1",
        "run": "move.1",
        "seq": 7,
        "time": "1970-01-01T00:00:01.500Z",
        "kind": "sent",
        "step": "add-new",
        "target": "eu",
        "data": {"id": "0Af1"},
    }


def test_a_map_of_data_is_read_as_texts() -> None:
    event = Event(1, "", 0.0, "bound", data={"ids": {"a": 1}, "app": "Acme"})
    assert event.text_map("ids") == {"a": "1"}
    assert event.text_map("app") == event.text_map("none") == {}


def test_events_of_a_command_are_numbered_shown_and_selected() -> None:
    shown: list[Event] = []
    log = CommandLog(shown.append)
    numbers = [log.write("sent", "add-new", target, {}) for target in ("eu", "us")]
    assert numbers == [each.seq for each in shown] == [1, 2]
    assert (
        EventList(shown).all("sent", target="us") == log.all("sent", "add-new", "us") == shown[1:]
    )


def test_a_row_has_the_text_of_its_data_as_it_is() -> None:
    """A secret that is not ASCII is masked only in that form."""
    assert event_row("", "note", None, None, {"by": "Zoë"})["data"] == '{"by": "Zoë"}'
