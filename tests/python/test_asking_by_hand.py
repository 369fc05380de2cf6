"""What people type beside the plain question: short ids, several projects, groups, other spellings."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess

import pytest

import birthmark as bm


def test_beginning_of_an_id_is_enough_however_short(project, write) -> None:
    for n, commit in enumerate(["3232" + "0" * 36, "323f" + "0" * 36, "9" * 40]):
        write(f"{n}.jsonl", [{"git_commit": commit}])
    for asked, found in {"commit=323": 2, "commit=3": 2, "commit=3232": 1, "commit=9": 1, "commit!=323": 1, "commit=4": 0}.items():
        assert len(bm.find(asked)) == found, asked


def test_counts_by_group_are_cut_where_asked_and_it_is_said(project, write, birthmark_in) -> None:
    for n in range(5):
        write(f"{n}.jsonl", [{"seed": n}])
    done = birthmark_in("find", "--group-by", "seed", "-n", "2")
    assert len(done.stdout.splitlines()) == 3 and "2 of 5 groups shown: -n 5." in done.stderr
    assert len(json.loads(birthmark_in("find", "--group-by", "seed", "-n", "3", "--json").stdout)) == 3
    done = birthmark_in("find", "--group-by", "seed")
    assert len(done.stdout.splitlines()) == 6 and "shown" not in done.stderr


def test_project_is_found_by_the_name_that_stands_before_its_files(project, write, birthmark_in) -> None:
    write("here.jsonl", [{"seed": 1}])
    other = project / "elsewhere" / "p2"
    (other / "artifacts").mkdir(parents=True)
    (other / "birthmark.toml").write_text("")
    write("there.jsonl", [{"seed": 2}], folder=other / "artifacts")
    assert birthmark_in("catalog", "add", "elsewhere/p2").returncode == 0
    assert "p2: artifacts/there.jsonl" in birthmark_in("find", "--all").stdout
    done = birthmark_in("find", "--all", "P2", "--csv", "--columns", "file")
    assert done.stdout.splitlines() == ["file", "artifacts/there.jsonl"]
    assert birthmark_in("find", "--all", "NOT p2", "--count").stdout == "1\n"
    assert birthmark_in("find", "--all", "p2", "--records").stdout == (other / "artifacts/there.jsonl").read_text()
    assert birthmark_in("find", "p2", "--count").stdout == "0\n"
    # Forgotten by the same way by which it was added, or by any other.
    (project / "artifacts" / "deep").mkdir()
    done = birthmark_in("catalog", "remove", "../../elsewhere/p2", cwd=project / "artifacts" / "deep")
    assert done.returncode == 0 and "forgot" in done.stdout
    assert birthmark_in("find", "--all", "--count").stdout == "1\n"
    assert birthmark_in("catalog", "remove", "../nowhere").returncode == 2


def test_file_of_records_that_nothing_matched_is_not_made(project, write, birthmark_in) -> None:
    write("a.jsonl", [{"seed": 1}])
    done = birthmark_in("find", "seed=2", "--records", "--out", "out.jsonl")
    assert done.returncode == 1 and "`out.jsonl` was not written" in done.stderr
    assert sorted(path.name for path in project.iterdir() if path.name.startswith(("out", "."))) == []
    assert birthmark_in("find", "seed=1", "--records", "--out", "out.jsonl").returncode == 0
    assert (project / "out.jsonl").read_text() == (project / "artifacts/a.jsonl").read_text()


def test_metric_is_asked_for_as_either_command_spells_it(project, birthmark_in) -> None:
    log = {"results": {"arc_easy": {"acc,none": 0.5, "acc_stderr,none": 0.1}}, "config": {"model": "hf"}, "versions": {"arc_easy": 1}}
    (project / "results_2026.json").write_text(json.dumps(log))
    assert birthmark_in("import", "results_2026.json").returncode == 0
    (other,) = bm.sql("SELECT name, number FROM metrics")
    assert other["name"] == "arc_easy.acc"
    assert len(bm.find("arc_easy.acc=0.5")) == len(bm.find("arc_easy/acc=0.5")) == 1
    (row,) = bm.find("arc_easy/acc>0.4", columns=["arc_easy/acc"])
    assert row["arc_easy/acc"] == 0.5
    with pytest.raises(bm.UsageError, match="no artifact has a field"):
        bm.find("arc_hard/acc>0.4")


def test_what_is_no_report_is_not_imported(project, birthmark_in) -> None:
    (project / "other.json").write_text('{"a": 1}')
    done = birthmark_in("import", "other.json")
    assert done.returncode == 2 and "neither `summary` nor `results`" in done.stderr
    assert not (project / "other.json.birthmark.json").exists()
    (project / "own.json").write_text('{"summary": {"accuracy": 0.5}}')
    assert birthmark_in("import", "own.json").returncode == 0


def test_obeying_the_policy_is_not_called_verified(project, write, birthmark_in) -> None:
    (project / "birthmark.toml").write_text('[policy]\nt = ["seed required"]\n')
    write("forged.jsonl", [{"git_commit": "a" * 40, "timestamp": "2026-01-01T00:00:00.000000+00:00", "seed": 1, "session_id": "20260101_000000_abcdefghjkmnp"}])
    done = birthmark_in("policy", "check", "artifacts")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("obeys ") and "verified:" not in done.stdout and "not proved: where they came from" in done.stdout
    told = json.loads(birthmark_in("policy", "check", "artifacts", "--json").stdout)
    assert (told["word"], told["items"][0]["word"], told["totals"]["obeys"]) == ("obeys", "obeys", 1)
    done = birthmark_in("policy", "explain", "temperature = 1..0")
    assert done.returncode == 2 and "a range that begins before it ends" in done.stderr


def test_whole_line_that_is_no_record_is_told_of_a_file_that_is_named(project, write, birthmark_in) -> None:
    (project / "g.jsonl").write_text('garbage\n{"a": 1}\n{"a": ')
    done = birthmark_in("salvage", "g.jsonl")
    assert done.returncode == 1 and "a line is no record: line 1" in done.stdout
    assert "birthmark salvage --repair g.jsonl" in done.stderr
    assert birthmark_in("salvage", "--repair", "g.jsonl").returncode == 0
    assert (project / "g.jsonl").read_text() == 'garbage\n{"a": 1}\n'


def on_terminal(program, cwd, *args: str, columns: int = 80, env: dict[str, str] | None = None) -> str:
    """What a command prints on a terminal of so many columns."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen([program, *args], cwd=cwd, stdout=slave, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    os.close(slave)
    out = b""
    while True:
        ready, _, _ = select.select([master], [], [], 60)
        try:
            more = os.read(master, 65536) if ready else b""
        except OSError:
            more = b""
        if not more:
            break
        out += more
    process.wait()
    os.close(master)
    return out.decode()


def test_table_fits_a_terminal_and_files_keep_their_names(project, write, program) -> None:
    for n in range(3):
        mark = {"git_commit": "5f97" * 10, "git_dirty": True, "git_snapshot": "9a53" * 10, "model_name": "Qwen/Qwen2.5-32B-Instruct", "seed": n, "temperature": 0.7}
        write(f"evaluation_of_a_long_name_{n}.jsonl", [mark])
    chosen = "file,type,model_name,seed,temperature,records,commit"
    for columns in (80, 100):
        shown = on_terminal(program, project, "find", "--columns", chosen, columns=columns)
        assert all(len(line) <= columns for line in shown.splitlines()), shown
        for n in range(3):
            assert f"evaluation_of_a_long_name_{n}.jsonl" in shown, shown
    shown = on_terminal(program, project, "find", "--columns", "file,commit,snapshot,seed,run")
    assert all(len(line) <= 80 for line in shown.splitlines()), shown
    assert "5f975f975f (dirty)" in shown and "9a539a539a" in shown and "name_2.jsonl" in shown
    # What does not fit at all has a line for each of its cells.
    shown = on_terminal(program, project, "find", "--columns", chosen + ",snapshot,git_dirty,format,state,size", columns=60)
    assert all(len(line) <= 60 for line in shown.splitlines()), shown
    assert "name_2.jsonl" in shown


def test_times_say_their_zone_and_moments_are_those_of_the_reader(project, write, birthmark_in) -> None:
    # Half past eleven in the evening in Kolkata, written there; six in the evening in UTC.
    write("winter.jsonl", [{"timestamp": "2026-01-10T23:30:00.000000+05:30"}])
    write("summer.jsonl", [{"timestamp": "2026-07-10T22:30:00.000000+00:00"}])
    berlin, utc = {"TZ": "Europe/Berlin"}, {"TZ": "UTC"}
    shown = birthmark_in("find", env=berlin).stdout
    assert "WHEN (CEST/CET)" in shown and "11 Jul 00:30" in shown
    assert "10 Jan 19:00" in shown, "a moment that was written in another zone is the same moment"
    shown = birthmark_in("find", "--columns", "file,timestamp", env=utc).stdout
    assert "TIMESTAMP (UTC)" in shown and "10 Jan 2026 18:00" in shown
    for asked, zone, found in [
        ("timestamp=2026-07-11", berlin, 1),
        ("timestamp=2026-07-11", utc, 0),
        ("timestamp=2026-07-10", utc, 1),
        ('since:"2026-07-11 00:30" until:"2026-07-11 00:30"', berlin, 1),
        ("since:2026-07-10T22:30:00Z", berlin, 1),
        ("since:2026-01-10T18:00:01Z until:2026-06-01", utc, 0),
        ("since:2026-01-10T17:59:59Z until:2026-01-10T18:00:00Z", berlin, 1),
        ("since:2026-01-10T17:59:59Z until:2026-01-10T18:00:00Z", berlin, 1),
        ("timestamp=2026-01-10T18:00:00Z", utc, 1),
        ("until:2026-01-10", berlin, 1),
    ]:
        assert birthmark_in("find", asked, "--count", env=zone).stdout == f"{found}\n", (asked, zone)
    (row,) = bm.sql("SELECT timestamp FROM records WHERE timestamp BETWEEN '2026-01-10T18' AND '2026-01-10T19'")
    assert row["timestamp"] == "2026-01-10T18:00:00.000000+00:00"
    (row,) = bm.sql("SELECT timestamp FROM records WHERE timestamp BETWEEN '2026-01-10T18' AND '2026-01-10T19'")
    assert row["timestamp"] == "2026-01-10T18:00:00.000000+00:00"


def test_a_run_without_a_script_is_told_by_its_program(repo, birthmark):
    birthmark("run", "--", "sh", "-c", "true")
    (line,) = birthmark("find", "--runs").splitlines()[1:]
    assert " sh " in line, line
    (told,) = json.loads(birthmark("find", "--runs", "--json"))["rows"]
    assert told["argv"] == ["sh", "-c", "true"] and told["script_name"] is None, told


def test_the_projects_that_are_known_are_listed_under_the_word_that_people_try(repo, birthmark):
    birthmark("run", "--", "sh", "-c", "true")
    birthmark("find")
    (line,) = birthmark("catalog", "list").splitlines()[2:]
    assert line.split() == [str(repo), "1", "0", "just", "now"], line
    assert birthmark("catalog", "status").splitlines()[2:] == [line]
