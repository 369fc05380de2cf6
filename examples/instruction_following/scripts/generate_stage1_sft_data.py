"""Stage 1 training data: each instruction answered by raw few-shot completion.

    python scripts/generate_stage1_sft_data.py --count 40

Run it again after a crash: it goes on with the instructions that are not in the file yet.
"""

import argparse
import json
from pathlib import Path

import birthmark as bm
from utils.clean_model_loader import CleanModelLoader

SEEDS = "data/seed_instructions.json"
STOP = ["\nEND", "\nInstruction:", "\n\n"]
FEWSHOT = [
    ("Name a fruit that is yellow.", "A banana is a yellow fruit."),
    ("What is the opposite of hot?", "The opposite of hot is cold."),
    ("Write one sentence about the sea.", "The sea is deep, blue and full of life."),
]


def completion_prompt(instruction):
    shots = "".join(f"Instruction: {i}\nResponse: {r}\nEND\n\n" for i, r in FEWSHOT)
    return f"{shots}Instruction: {instruction}\nResponse:"


def make_example(model, item, seed, settings):
    prompt = completion_prompt(item["instruction"])
    response = model.generate(prompt, seed=seed, **settings).text.strip()
    return {
        **item,
        "response": response,
        "formatted_text": f"Instruction: {item['instruction']}\nResponse: {response}\nEND",
        "prompt": prompt,
        "completion": f" {response}\nEND",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--out", default="artifacts/sft_training_data_stage1.jsonl")
    args = parser.parse_args()
    items = json.loads(Path(SEEDS).read_text())[: args.count]
    number = {item["id"]: n for n, item in enumerate(items)}
    settings = {"temperature": args.temperature, "max_new_tokens": 48, "stop": STOP}

    # The session comes first: it says at once, before any model is loaded, what is wrong with the code.
    plan = [f"sft_training_data_*.jsonl ({args.count} examples)", "sentinels_*.json"]
    with bm.session(planned=plan) as s:
        s.use(SEEDS, role="instructions")
        model, provenance = CleanModelLoader().load()
        # What each sentinel saw, once; the records only say that all passed.
        evidence = {"summary": {"passed": provenance["sentinel_tests"]}, "results": model.sentinel_tests}
        s.report(
            "artifacts/sentinels_stage1.json", evidence, mode="w", artifact_type="sentinels", provenance=provenance
        )
        params = model.sampling_params(**settings)  # the engine's own defaults written out
        with s.jsonl(args.out, mode="a", artifact_type="training_data", provenance=provenance, params=params) as out:
            for item in out.todo(items, key="id"):
                seed = args.seed + number[item["id"]]
                example = make_example(model, item, seed, settings)
                out.write(example, seed=seed)  # safe on disk when this returns
                print(f"{item['id']}  {example['response']!r}", flush=True)


if __name__ == "__main__":
    main()
