"""Log files are read onwards: whole lines, each at a place that stays its own whatever the file is called."""

from pathlib import Path

from flotilla.log_store.files import MOST_BYTES, Position, births, lines
from flotilla.log_store.positions import Positions


def write(path: Path, *written: str) -> None:
    with path.open("a") as file:
        file.write("".join(written))


def read(files: dict[str, list[Path]], positions: Positions) -> list[tuple[str, dict[str, object]]]:
    found = births(files)
    said, reached = [], {}
    for birth, (service, path) in found.items():
        for line in lines(birth, service, path, positions.of(birth)):
            said.append((line.id, line.fields))
            reached[birth] = line.position
    positions.keep(reached, found)
    return said


def test_lines_are_read_once_and_whole(tmp_path: Path) -> None:
    log, kept = tmp_path / "crm.log", tmp_path / "positions.json"
    write(log, '{"ts": "2031-05-01T10:00:00Z", "event": "first"}\n', "Traceback\n", '{"event": "half')
    files = {"crm": [log]}
    first, second = (fields for _, fields in read(files, Positions(kept)))
    assert first == {"service": "crm", "ts": "2031-05-01T10:00:00Z", "event": "first"}
    assert second == {"service": "crm", "ts": "2031-05-01T10:00:00Z", "text": "Traceback"}
    assert read(files, Positions(kept)) == []
    write(log, ' written"}\n')
    ((_, third),) = read(files, Positions(kept))
    assert third == {"service": "crm", "ts": "2031-05-01T10:00:00Z", "event": "half written"}, (
        "what has no time has that of the line before, also in another process"
    )


def test_a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_beginning(tmp_path: Path) -> None:
    log, older, kept = tmp_path / "crm.log", tmp_path / "crm.log.1", tmp_path / "positions.json"
    files = {"crm": [older, log]}
    write(log, '{"ts": "2031-05-01T10:00:00Z"}\n')
    ((first, _),) = read(files, Positions(kept))
    write(log, '{"ts": "2031-05-01T10:00:01Z"}\n')
    log.replace(older)
    write(log, '{"ts": "2031-05-01T10:00:02Z"}\n')
    rest = read(files, Positions(kept))
    assert [fields["ts"] for _, fields in rest] == ["2031-05-01T10:00:01Z", "2031-05-01T10:00:02Z"]
    assert len({first, *(place for place, _ in rest)}) == 3
    older.unlink()
    assert read(files, Positions(kept)) == []


def test_a_file_that_begins_anew_in_its_place_is_another(tmp_path: Path) -> None:
    log, kept = tmp_path / "crm.log", tmp_path / "positions.json"
    write(log, '{"ts": "2031-05-01T10:00:00Z"}\n', '{"ts": "2031-05-01T10:00:01Z"}\n')
    before = read({"crm": [log]}, Positions(kept))
    log.write_text('{"ts": "2031-05-02T10:00:00Z"}\n')
    after = read({"crm": [log]}, Positions(kept))
    assert [fields["ts"] for _, fields in after] == ["2031-05-02T10:00:00Z"]
    assert not {place for place, _ in before} & {place for place, _ in after}


def test_without_its_positions_everything_has_the_place_that_it_had(tmp_path: Path) -> None:
    log, kept = tmp_path / "crm.log", tmp_path / "positions.json"
    write(log, *(f'{{"ts": "2031-05-01T10:00:{second:02}Z"}}\n' for second in range(20)))
    first = read({"crm": [log]}, Positions(kept))
    kept.write_text("half a fi")
    assert read({"crm": [log]}, Positions(kept)) == first


def test_what_is_no_line_of_ours_is_text_and_one_without_end_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "crm.log"
    write(log, "started\n", '{"event": NaN}\n', "[1]\n", "\n", "x" * (MOST_BYTES + 10))
    ((birth, (service, path)),) = births({"crm": [log, tmp_path / "none.log"]}).items()
    found = list(lines(birth, service, path, Position()))
    assert [line.fields["text"] for line in found] == ["started", '{"event": NaN}', "[1]"]
    (cut,) = lines(birth, service, path, found[-1].position)
    assert set(cut.fields["text"]) == {"x"}
    assert list(lines(birth, service, path, cut.position)) == [], "its end may still come"
    write(log, "\n")
    (end,) = lines(birth, service, path, cut.position)
    assert len(cut.fields["text"]) + len(end.fields["text"]) == MOST_BYTES + 10
