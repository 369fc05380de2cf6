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
