"""A file of a folder that is one artifact is told of by its folder."""

from __future__ import annotations

import json

import birthmark as bm

HEADER = bytes([2] + [0] * 7) + b"{}"


def model(repo):
    folder = repo / "checkpoints" / "m"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(HEADER + bytes(5_000))
    return folder


def shown(birthmark, file):
    return json.loads(birthmark("show", "--json", file))


def test_a_file_of_a_folder_with_a_sidecar_is_shown_and_verified_as_part_of_it(repo, birthmark):
    folder = model(repo)
    with bm.session(seed=7) as s:
        s.add(folder, artifact_type="model")
    file = "checkpoints/m/model.safetensors"
    told = shown(birthmark, file)
    assert (told["file"], told["metadata"]["seed"]) == ("checkpoints/m", 7)
    assert (told["part"]["file"], told["part"]["now"]) == ("model.safetensors", "as recorded")
    assert "as recorded: 1 of 1" in birthmark("verify", file, folder / "config.json")

    (folder / "model.safetensors").write_bytes(HEADER + bytes(4_999) + b"x")
    assert shown(birthmark, file)["part"]["now"] == "edited"
    assert shown(birthmark, "checkpoints/m/config.json")["part"]["now"] == "as recorded"
    assert "changed model.safetensors" in birthmark("verify", file, status=1)
    (folder / "new.txt").write_text("later")
    assert shown(birthmark, "checkpoints/m/new.txt")["part"]["now"] == "not recorded"
    assert "none of the files that were recorded" in birthmark("show", "checkpoints/m/new.txt")


def test_a_file_of_a_model_that_a_plain_script_wrote_is_part_of_its_folder(repo, birthmark):
    (repo / "save.py").write_text(
        "import os\n"
        "os.makedirs('checkpoints/m')\n"
        "open('checkpoints/m/config.json', 'w').write('{}')\n"
        "open('checkpoints/m/model.safetensors', 'wb').write(bytes([2] + [0] * 7) + b'{}')\n"
    )
    birthmark("run", "--", "python", "save.py")
    told = shown(birthmark, "checkpoints/m/model.safetensors")
    assert (told["kind"], told["file"], told["part"]["now"]) == ("observed", "checkpoints/m", "as recorded")
    assert "checkpoints/m" in birthmark("verify", "checkpoints/m/model.safetensors")


def test_what_lies_in_no_such_folder_is_told_of_as_before(repo, birthmark):
    (repo / "data" / "a").mkdir(parents=True)
    (repo / "data" / "a" / "b.txt").write_text("x")
    told = json.loads(birthmark("show", "--json", "data/a/b.txt", status=1))
    assert (told["kind"], told["part"]) == ("unstamped", None)


def test_a_table_of_many_evaluations_of_one_folder_leads_to_each_and_back(repo, birthmark):
    (repo / "score.py").write_text(
        "import json, os\n"
        "os.makedirs('artifacts/eval')\n"
        "for n in range(70):\n"
        "    json.dump({'summary': {'accuracy': n / 100}}, open(f'artifacts/eval/e{n}.json', 'w'))\n"
    )
    (repo / "table.py").write_text(
        "import glob, json\n"
        "rows = [json.load(open(name))['summary'] for name in sorted(glob.glob('artifacts/eval/*'))]\n"
        "open('artifacts/table.csv', 'w').write('\\n'.join(str(row['accuracy']) for row in rows))\n"
    )
    (repo / "artifacts").mkdir()
    for script in ("score.py", "table.py"):
        birthmark("run", "--", "python", script)
    came_from = birthmark("trace", "--up", "artifacts/table.csv")
    assert "artifacts/eval/e0.json" in came_from and "score.py" in came_from
    assert "artifacts/table.csv" in birthmark("trace", "--down", "artifacts/eval/e69.json")
    assert shown(birthmark, "artifacts/eval/e69.json")["kind"] == "observed"


def test_a_file_of_a_folder_is_traced_by_its_folder(repo, birthmark):
    folder = model(repo)
    with bm.session() as s:
        s.add(folder, artifact_type="model")
    birthmark("run", "--", "python", "-c", "open('artifacts/n.txt','w').write(open('checkpoints/m/config.json').read())")
    down = birthmark("trace", "--down", "checkpoints/m/model.safetensors")
    assert "model.safetensors is a file of this folder" in down
    assert birthmark("trace", "checkpoints/m/config.json").startswith("checkpoints/m\n")
