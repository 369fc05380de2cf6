"""Instructions in, answers of the model out, as people write it: no provenance anywhere.

    birthmark run -- python plain/generate.py --count 3 --out artifacts/plain.jsonl
"""

import argparse
import json
from pathlib import Path

from raw_model import RawModel

SHOTS = "Instruction: Name a fruit that is yellow.\nResponse: A banana is a yellow fruit.\nEND\n\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", default="artifacts/plain.jsonl")
    asked = parser.parse_args()
    model = RawModel()
    items = json.loads(Path("data/seed_instructions.json").read_text())
    with open(asked.out, "w") as out:
        for n, item in enumerate(items[: asked.count]):
            prompt = f"{SHOTS}Instruction: {item['instruction']}\nResponse:"
            answer = model.complete(prompt, asked.seed + n)
            out.write(json.dumps({**item, "response": answer, "code": model.code}) + "\n")
            print(item["instruction"], "->", answer)


if __name__ == "__main__":
    main()
