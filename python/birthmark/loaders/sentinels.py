"""Sentinel tests: proof that no chat template stands between a prompt and the model.

Purpose: run before the first real prompt, and say with evidence whether what
the model evaluates is what was sent.

Invariants: each test looks for a *template*, never for capability, so a weak
or broken checkpoint raises no false alarm. Each keeps its name, its outcome
(True, False, or None where it could not be judged) and what was seen.

Limits: the tests see this process and this engine. They say nothing about
templates that were baked into the training data of the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clean import CleanModel

#: Text that chat templates of common model families put round a turn.
ROLE_MARKERS = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>",
    "<|start_header_id|>", "<|eot_id|>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]",
    "<<SYS>>", "<s>", "</s>", "### Assistant", "### Human",
)  # fmt: skip

#: A plain sentence to continue; what follows is never judged for being right.
PROBE = "The lighthouse keeper wrote in the book that"


@dataclass(frozen=True)
class Sentinel:
    """One test and what it saw. `passed` is None where the engine cannot be asked."""

    name: str
    passed: bool | None
    evidence: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The test as JSON, for a report."""
        return {"name": self.name, "passed": self.passed, "evidence": self.evidence}


def run_sentinels(model: CleanModel) -> list[Sentinel]:
    """Run every sentinel through `model.generate`, the path that real prompts take."""
    engine = model.engine
    ids = engine.tokenize(PROBE)
    output = model.generate(PROBE, max_new_tokens=8, do_sample=False, check=False)
    return [
        _tokens_evaluated(len(ids), output.prompt_tokens),
        _prompt_as_sent(output.engine_prompt),
        _nothing_from_nothing(engine.tokenize("")),
        _no_special_tokens(ids, engine.special_tokens),
        _markers_are_text(engine),
        _template_would_differ(engine, len(ids)),
        _no_markers_in_output(output.text),
    ]


def all_passed(sentinels: Iterable[Sentinel]) -> bool | None:
    """False if one failed, None if none failed but one could not be judged, else True."""
    outcomes = [sentinel.passed for sentinel in sentinels]
    if not outcomes or False in outcomes:
        return False
    return None if None in outcomes else True


def _tokens_evaluated(sent: int, evaluated: int | None) -> Sentinel:
    passed = None if evaluated is None else evaluated == sent
    return Sentinel("tokens_evaluated_equal_tokens_sent", passed, {"sent": sent, "evaluated": evaluated})


def _prompt_as_sent(seen: str | None) -> Sentinel:
    name = "engine_saw_the_prompt_as_sent"
    if seen is None:
        return Sentinel(name, None, {"reason": "the engine does not say which prompt it evaluated"})
    # Some tokenizers put one space before a text: that is no template.
    return Sentinel(name, seen.strip() == PROBE, {"sent": PROBE, "seen": seen})


def _nothing_from_nothing(ids: list[int]) -> Sentinel:
    return Sentinel("an_empty_text_is_no_tokens", not ids, {"ids": ids})


def _no_special_tokens(ids: list[int], special: dict[int, str]) -> Sentinel:
    found = {str(i): special[i] for i in ids if i in special}
    return Sentinel(
        "no_special_tokens_added", not found, {"ids": ids, "special": found, "special_tokens_known": len(special)}
    )


def _markers_are_text(engine: Any) -> Sentinel:
    markers = [text for text in engine.special_tokens.values() if text in ROLE_MARKERS]
    parsed = {text: engine.tokenize(text) for text in markers or ROLE_MARKERS[:2]}
    taken = {text: ids for text, ids in parsed.items() if any(i in engine.special_tokens for i in ids)}
    return Sentinel("role_markers_are_plain_text", not taken, {"ids": parsed, "taken_as_special": sorted(taken)})


def _template_would_differ(engine: Any, plain: int) -> Sentinel:
    name = "the_template_would_differ"
    if engine.chat_template is None:
        return Sentinel(name, True, {"reason": "the model carries no chat template"})
    try:
        rendered = engine.render_template(PROBE)
        templated = len(engine.tokenize(rendered, parse_special=True))
    except Exception as error:  # an engine that cannot render is a gap, not a contamination
        return Sentinel(name, None, {"reason": f"the engine did not render the template: {error}"})
    if rendered.strip() == PROBE:
        return Sentinel(name, True, {"reason": "the template adds nothing to a plain prompt"})
    return Sentinel(name, templated > plain, {"plain_tokens": plain, "templated_tokens": templated})


def _no_markers_in_output(text: str) -> Sentinel:
    found = [marker for marker in ROLE_MARKERS if marker in text]
    return Sentinel("no_role_markers_in_output", not found, {"output": text, "found": found})
