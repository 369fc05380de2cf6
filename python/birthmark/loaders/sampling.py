"""Effective sampling settings: what was asked for and what the engine added, in few words.

Purpose: turn the long list that an engine reports into the params of a
birthmark, defaults written out.

Invariants: values come from the engine's own report. A sampler that is off is
left out; where the engine reports its chain, `samplers` names those that are
on, in their order, so nothing is left to be guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Written out whatever their value.
_ALWAYS = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "repetition_penalty")

#: Setting -> (when it is on, further settings that count only then).
_SWITCHES: dict[str, tuple[Callable[[Any], bool], tuple[str, ...]]] = {
    "typical_p": (lambda v: 0 < v < 1, ()),
    "top_n_sigma": (lambda v: v > 0, ()),
    "xtc_probability": (lambda v: v > 0, ("xtc_threshold",)),
    "dry_multiplier": (
        lambda v: v != 0,
        ("dry_base", "dry_allowed_length", "dry_penalty_last_n", "dry_sequence_breakers"),
    ),
    "dynatemp_range": (lambda v: v > 0, ("dynatemp_exponent",)),
    "mirostat": (lambda v: v > 0, ("mirostat_tau", "mirostat_eta")),
    "mirostat_mode": (lambda v: v > 0, ("mirostat_tau", "mirostat_eta")),
    "adaptive_target": (lambda v: v > 0, ("adaptive_decay",)),
    "presence_penalty": (lambda v: v != 0, ("repeat_last_n",)),
    "frequency_penalty": (lambda v: v != 0, ("repeat_last_n",)),
    "repeat_penalty": (lambda v: v != 1, ("repeat_last_n",)),
    "num_beams": (lambda v: v > 1, ("length_penalty", "early_stopping", "num_beam_groups")),
    "no_repeat_ngram_size": (lambda v: v > 0, ()),
    "penalty_alpha": (lambda v: v > 0, ()),
    "epsilon_cutoff": (lambda v: v > 0, ()),
    "eta_cutoff": (lambda v: v > 0, ()),
    "min_new_tokens": (lambda v: v > 0, ()),
    "ignore_eos": (bool, ()),
    "logit_bias": (bool, ()),
    "grammar": (bool, ()),
    "lora": (bool, ()),
}

#: Name in the engine's chain -> the settings that switch it on.
_CHAIN = {
    "penalties": ("repeat_penalty", "presence_penalty", "frequency_penalty"),
    "dry": ("dry_multiplier",),
    "top_n_sigma": ("top_n_sigma",),
    "typ_p": ("typical_p",),
    "xtc": ("xtc_probability",),
}
_ON: dict[str, Callable[[Any], bool]] = {
    "top_k": lambda v: v > 0,
    "top_p": lambda v: v < 1,
    "min_p": lambda v: v > 0,
    **{name: on for name, (on, _) in _SWITCHES.items()},
}


def effective(asked: dict[str, Any], in_force: dict[str, Any]) -> dict[str, Any]:
    """The params of a birthmark: what was `asked` under its own names, and what was `in_force` with it."""
    params: dict[str, Any] = {"do_sample": asked.get("do_sample", True)}
    for name in _ALWAYS:
        if in_force.get(name) is not None:
            params[name] = in_force[name]
    for name, (on, more) in _SWITCHES.items():
        value = in_force.get(name)
        if value is not None and on(value):
            params.update({n: in_force[n] for n in (name, *more) if in_force.get(n) is not None})
    for name, value in asked.items():
        params.setdefault(name, in_force.get(name, value))
    if in_force.get("samplers"):
        params["samplers"] = [name for name in in_force["samplers"] if _works(name, in_force)]
    return params


def _works(sampler: str, in_force: dict[str, Any]) -> bool:
    """Whether `sampler` of the chain changes anything; one that is not known here is named."""
    settings = [name for name in _CHAIN.get(sampler, (sampler,)) if name in _ON and in_force.get(name) is not None]
    return not settings or any(_ON[name](in_force[name]) for name in settings)
