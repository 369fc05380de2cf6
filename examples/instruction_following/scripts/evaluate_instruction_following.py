"""Held-out instruction following: the base model against a second system.

    python scripts/evaluate_instruction_following.py --sft-data artifacts/sft_training_data_stage1.jsonl
    python scripts/evaluate_instruction_following.py --second-model artifacts/SmolLM2-135M-Instruct.Q5_0.gguf

The second system is `fewshot` (the same weights, three generated examples in the prompt) or
`requantized` (other weights, no examples). Nothing is fine-tuned, so nothing is called `sft`.
Run it again after a crash: it goes on with the items that are not scored yet.
"""

import argparse
import json
import re
from pathlib import Path

import birthmark as bm
from utils.clean_model_loader import CleanModelLoader

TEST_SET = "data/test_instructions.json"
STOP = ["\nEND", "\nInstruction:", "\n\n"]


def holds(rule, text):
    value = rule["value"]
    if rule["type"] == "contains_any":
        return any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in value)
    if rule["type"] == "max_words":
        return 0 < len(text.split()) <= value
    if rule["type"] == "ends_with":
        return text.endswith(value)
    raise ValueError(f"unknown rule {rule['type']!r}")


def score(item, systems, seed, settings):
    row = {"id": item["id"], "instruction": item["instruction"]}
    for role, (model, shots) in systems.items():
        prompt = f"{shots}Instruction: {item['instruction']}\nResponse:"
        response = model.generate(prompt, seed=seed, **settings).text.strip()
        checks = [holds(rule, response) for rule in item["rules"]]
        row[role] = {"response": response, "checks": checks, "passed": all(checks)}
    return row


def read_from(path, role):
    return {"role": role, "file": path, "digest": bm.digest_file(path)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    second = parser.add_mutually_exclusive_group(required=True)
    second.add_argument("--sft-data", help="JSONL of stage 1; its first three records are the demonstrations")
    second.add_argument("--second-model", help="GGUF file of a second checkpoint")
    parser.add_argument("--eval-seed", type=int, default=42)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--out", default="artifacts/evaluation_instruction_following.json")
    return parser.parse_args()


def main():
    args = arguments()
    items = json.loads(Path(TEST_SET).read_text())
    number = {item["id"]: n for n, item in enumerate(items)}
    settings = {"temperature": args.temperature, "max_new_tokens": 48, "stop": STOP}

    with bm.session(planned=["evaluation_*.json"]) as s:
        base, provenance = CleanModelLoader().load()
        if args.second_model:
            role, shots, used = "requantized", "", read_from(args.second_model, "second model")
        else:
            role, used = "fewshot", read_from(args.sft_data, "demonstrations")
            with open(args.sft_data) as lines:
                shots = "".join(json.loads(next(lines))["formatted_text"] + "\n\n" for _ in range(3))
        second, second_provenance = CleanModelLoader(args.second_model).load()
        systems = {"base": (base, ""), role: (second, shots)}
        with s.report(
            args.out,
            models={"base": provenance["model_name"], role: args.second_model or provenance["model_name"]},
            model_digests={"base": provenance["model_digest"], role: second_provenance["model_digest"]},
            dataset=TEST_SET,
            inputs=[used],
            eval_seed=args.eval_seed,
            provenance=provenance,
            params=base.sampling_params(**settings),
            sentinels={"base": base.sentinel_tests, role: second.sentinel_tests},
        ) as r:
            for item in r.todo(items, key="id"):
                r.add(score(item, systems, args.eval_seed + number[item["id"]], settings))
            for name in systems:
                r.summary[f"{name}_accuracy"] = sum(row[name]["passed"] for row in r.results) / len(items)
            r.summary["n"] = len(items)
            print(json.dumps(dict(r.summary)), args.out)


if __name__ == "__main__":
    main()
