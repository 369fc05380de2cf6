"""Loaders that keep chat templates away from a model, prove it, and say what was loaded.

    from birthmark.loaders import CleanModelLoader

    model, provenance = CleanModelLoader("model.Q4_1.gguf", model_name="org/model").load()
    params = model.sampling_params(temperature=0.7, max_new_tokens=48)
    with bm.session(provenance=provenance, params=params) as s: ...

GGUF files run through an installed llama.cpp binding (`pip install xllamacpp`), folders and hub
ids through Hugging Face transformers. Neither is imported before a model is loaded.
"""

from __future__ import annotations

from .clean import CleanModel, CleanModelLoader, Completion, Provenance
from .errors import ContaminatedModelError, LoaderError, MissingEngineError
from .sentinels import PROBE, ROLE_MARKERS, Sentinel, run_sentinels

__all__ = [
    "PROBE",
    "ROLE_MARKERS",
    "CleanModel",
    "CleanModelLoader",
    "Completion",
    "ContaminatedModelError",
    "LoaderError",
    "MissingEngineError",
    "Provenance",
    "Sentinel",
    "run_sentinels",
]
