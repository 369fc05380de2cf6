"""The five helper functions, under their own names and signatures.

A script written for a ``utils/provenance_helper.py`` of its own runs with one changed
import. They write and open nothing. Outside a repository they give None, never an
exception and never False; ``create_artifact_metadata`` puts the reason into ``unknown``.
"""

from __future__ import annotations

from . import _native, _talk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

__all__ = [
    "check_git_dirty",
    "create_artifact_metadata",
    "create_session_manifest",
    "get_git_branch",
    "get_git_sha",
]

# What the original asked of a loader's provenance.
_KEYS = ("loader_version", "model_name", "quantization", "template_disabled")


def get_git_sha() -> str | None:
    """Return the full commit of the running script's repository, or None if there is none."""
    return _code(status=False).get("git_commit")


def get_git_branch() -> str | None:
    """Return the branch, or None when detached or outside a repository."""
    return _code(status=False).get("git_branch")


def check_git_dirty() -> bool | None:
    """Return whether there are uncommitted changes; None when that cannot be told."""
    return _code(status=True).get("git_dirty")


def create_artifact_metadata(
    provenance: Mapping[str, Any] | None,
    script_name: str,
    artifact_type: str,
    **extra: Any,
) -> dict[str, Any]:
    """Create standardized metadata for any artifact.

    Args:
        provenance: Provenance dict of a model loader. A missing key becomes None, with its
            reason in ``unknown``.
        script_name: Name of the script that makes the artifact.
        artifact_type: ``"training_data"``, ``"evaluation"``, ``"model"``, …
        **extra: More fields: params, dataset, models. They win over what stands above.

    Returns:
        A dict for the artifact's ``metadata``. Outside a repository ``git_commit`` is None, and
        ``unknown`` says why.
    """
    from datetime import datetime, timezone

    code = _code(status=False)
    unknown: dict[str, str] = {}
    metadata: dict[str, Any] = {
        "git_commit": code.get("git_commit"),
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="microseconds"),
    }
    if metadata["git_commit"] is None:
        unknown["git_commit"] = code.get("unknown", {}).get("git_commit", "no commit")
    given = {} if provenance is None else provenance
    reasons = {**getattr(given, "unknown", {}), **(given.get("unknown") or {})}
    for key in _KEYS:
        metadata[key] = given.get(key)
        if metadata[key] is None:
            unknown[key] = str(reasons.get(key, "not given"))
    metadata["script_name"] = script_name
    metadata["artifact_type"] = artifact_type
    metadata.update(extra)
    unknown = {key: why for key, why in unknown.items() if metadata.get(key) is None}
    if unknown:
        metadata["unknown"] = unknown
    return metadata


def create_session_manifest(
    planned_artifacts: Iterable[str] | None = None,
) -> tuple[dict[str, Any], str]:
    """Create a session-level manifest. Nothing is written.

    Args:
        planned_artifacts: What is meant to be made, kept word for word.

    Returns:
        ``(manifest, session_id)``: the manifest as a dict, to be written by the caller, and
        the id in the form ``YYYYmmdd_HHMMSS`` (UTC).
    """
    from datetime import datetime, timezone

    now = datetime.now(timezone.utc)
    session_id = now.strftime("%Y%m%d_%H%M%S")
    captured = _native.capture(
        anchor=_talk.anchor(), script=_talk.running_script(), interpreter=_talk.interpreter()
    )
    manifest = {
        "session_id": session_id,
        "session_start": now.isoformat(timespec="microseconds"),
        "git_commit": captured.get("git_commit"),
        "git_branch": captured.get("git_branch"),
        "git_dirty": captured.get("git_dirty"),
        "environment": captured.get("environment"),
        "planned_artifacts": list(planned_artifacts or []),
        "artifacts_generated": [],
    }
    unknown = {
        key: why
        for key, why in (captured.get("unknown") or {}).items()
        if key.startswith("git_") and key in manifest
    }
    if unknown:
        manifest["unknown"] = unknown
    return manifest, session_id


def _code(*, status: bool) -> dict[str, Any]:
    return _native.code_fields(_talk.anchor(), status)
