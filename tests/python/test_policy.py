"""The policy of a project is said and kept wherever Python makes or stamps something."""

import json

import pytest

import birthmark as bm

POLICY = '[policy]\nenforce = "{}"\ntraining_data = ["seed required", "template_disabled = true"]\n'


def policy(repo, enforce):
    (repo / "birthmark.toml").write_text(POLICY.format(enforce))


def test_a_broken_rule_is_said_by_a_stamp_too(repo, capfd, monkeypatch):
    policy(repo, "warn")
    (repo / "odd\x1b[2J.bin").write_bytes(b"x")
    stamped = bm.stamp("odd\x1b[2J.bin", "training_data", seed=1, template_disabled=False)
    said = capfd.readouterr().err
    assert "template_disabled is false" in said and "birthmark.toml line 3" in said
    assert "seed required" not in said
    assert "\x1b" not in said, "names drive no terminal"
    assert len(stamped["breaks"]) == 1
    # What obeys, or is of another type, is said nothing of.
    for kind, fields in [("training_data", {"seed": 1, "template_disabled": True}), ("plot", {})]:
        bm.stamp("odd\x1b[2J.bin", kind, on_existing="replace", **fields)
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("BIRTHMARK_QUIET", "1")
    bm.stamp("odd\x1b[2J.bin", "training_data", on_existing="replace", template_disabled=False)
    assert capfd.readouterr().err == ""


def test_a_rule_that_refuses_leaves_everything_as_it_was(repo):
    policy(repo, "refuse")
    data = repo / "data.jsonl"
    data.write_text('{"a": 1}\n')
    with pytest.raises(bm.BirthmarkError, match="template_disabled is false"):
        bm.stamp(data, "training_data", seed=1, template_disabled=False, in_place=True)
    assert data.read_text() == '{"a": 1}\n'
    bm.stamp(data, "training_data", seed=1, template_disabled=True, in_place=True)
    assert json.loads(data.read_text())["metadata"]["seed"] == 1
    # A writer is refused at its opening, before any work.
    with bm.session() as session, pytest.raises(bm.BirthmarkError, match="template_disabled"):
        session.jsonl("artifacts/new.jsonl", artifact_type="training_data", template_disabled=False)
    assert not (repo / "artifacts/new.jsonl").exists()


RANGE = '[policy]\nenforce = "{}"\n"*" = ["temperature = 0..0.5", "seed required"]\n'


def test_record_whose_own_fields_break_a_rule_is_refused_before_it_is_written(repo):
    (repo / "birthmark.toml").write_text(RANGE.format("refuse"))
    path = repo / "artifacts/r.jsonl"
    with bm.session() as session, session.jsonl(path) as out:
        out.write({"n": 1}, temperature=0.2, seed=1)
        for temperature in (0.9, "hot", 0.50000000000000001e1):
            with pytest.raises(bm.BirthmarkError, match="temperature|field") as caught:
                out.write({"n": 2}, temperature=temperature, seed=2)
        assert caught.value.code == "policy" and "birthmark.toml line 3" in str(caught.value)
        # A form that lacks a field is refused each time, not the first time alone.
        for _ in range(2):
            with pytest.raises(bm.BirthmarkError, match="seed is missing"):
                out.write({"n": 3}, temperature=0.2)
        with pytest.raises(bm.BirthmarkError, match="these 3 records break"):
            out.write_many([{"n": 4}] * 3, temperature=0.7, seed=4)
        out.write_many([{"n": 5}, {"n": 6}], temperature=0.5, seed=5)
        out.write({"n": 7}, seed=7, temperature=0)
    assert [json.loads(line)["n"] for line in path.read_text().splitlines()] == [1, 5, 6, 7]


def test_fields_that_no_record_varies_are_judged_at_the_opening_and_with_the_first(repo):
    (repo / "birthmark.toml").write_text(RANGE.format("refuse"))
    with bm.session() as session:
        with pytest.raises(bm.BirthmarkError, match="temperature is 0.9"):
            session.jsonl("artifacts/a.jsonl", temperature=0.9, seed=1)
        with session.jsonl("artifacts/b.jsonl", temperature=0.1) as out:
            with pytest.raises(bm.BirthmarkError, match="seed is missing"):
                out.write({"n": 1})
            out.write({"n": 2}, seed=2, other="x")
            with pytest.raises(bm.BirthmarkError, match="temperature is 0.9"):
                out.write({"n": 3}, seed=3, temperature=0.9)
    assert len((repo / "artifacts/b.jsonl").read_text().splitlines()) == 1


def test_rules_that_warn_say_each_break_once_and_every_record_is_written(repo, capfd):
    (repo / "birthmark.toml").write_text(RANGE.format("warn"))
    with bm.session() as session, session.jsonl("artifacts/w.jsonl") as out:
        for n in range(20):
            out.write({"n": n}, seed=n, temperature=0.1 if n < 5 else 0.9)
        out.write({"n": 20}, temperature=0.1)
    said = capfd.readouterr().err
    assert said.count("a record breaks rule `temperature = 0..0.5`") == 1
    assert said.count("seed is missing") == 1
    assert len((repo / "artifacts/w.jsonl").read_text().splitlines()) == 21
