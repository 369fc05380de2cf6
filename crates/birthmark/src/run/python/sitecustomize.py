"""Given by ``birthmark run`` to the Pythons of its command, whether they have Birthmark or not.

Every Python imports a module of this name as it starts. This one waits until something is imported
that sets seeds or loads models and datasets by name; only then what notes that is loaded
(``birthmark_run``). Whatever ``sitecustomize`` there would be without this one is imported as ever.

It runs in any Python that is not older than this comment's syntax, and fails in none.
"""

import sys

#: What is waited for: the modules that ``birthmark_run`` wraps something in.
NAMES = frozenset(
    [
        "random",
        "numpy.random",
        "torch",
        "transformers.trainer_utils",
        "transformers.modeling_utils",
        "transformers.tokenization_utils_base",
        "transformers.processing_utils",
        "transformers.models.auto.modeling_auto",
        "transformers.models.auto.tokenization_auto",
        "transformers.models.auto.processing_auto",
        "diffusers.pipelines.pipeline_utils",
        "peft.peft_model",
        "datasets.load",
        "datasets.builder",
        "datasets.arrow_dataset",
        "datasets.dataset_dict",
    ]
)

#: Folders of what is known by its version.
INSTALLED = ("/site-packages/", "/dist-packages/", "/lib/python3.", "/lib-dynload/")


class Waiting(object):
    """Finds nothing; at the first wanted import it gives its place to what wraps."""

    def __init__(self, here):
        self.here = here

    def find_spec(self, name, path=None, target=None):
        if name not in NAMES or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        try:
            return load(self.here).begin().found(name, path, target)
        except Exception:
            return None


def load(here):
    """What notes, by its place: its folder stands on no path that the script sees."""
    from importlib.util import module_from_spec, spec_from_file_location

    folder = here + "/birthmark_run"
    spec = spec_from_file_location(
        "birthmark_run", folder + "/__init__.py", submodule_search_locations=[folder]
    )
    module = module_from_spec(spec)
    sys.modules["birthmark_run"] = module
    spec.loader.exec_module(module)
    return module


def watch_extensions(here):
    """Tell of compiled modules that are loaded from somebody's own folders: nothing else sees them."""
    loader = sys.modules["_frozen_importlib_external"].ExtensionFileLoader
    create = loader.create_module

    def create_module(self, spec):
        module = create(self, spec)
        try:
            if not any(place in spec.origin for place in INSTALLED):
                (sys.modules.get("birthmark_run") or load(here)).Teller().tell({"loaded": spec.origin})
        except Exception:
            pass
        return module

    loader.create_module = create_module


def keep(here):
    """Compile what is given once, also where Python is told to write no bytecode: the folder is ours."""
    import os

    kept = getattr(__spec__, "cached", None)
    if kept and kept.startswith(here + "/") and not os.path.exists(kept) and "/birthmark-python-" in here:
        from py_compile import compile

        for folder in (here, here + "/birthmark_run"):
            for name in os.listdir(folder):
                if name.endswith(".py"):
                    compile(folder + "/" + name, quiet=2)


def begin():
    import os

    # As it stands on the path: `site` has made its entries absolute before.
    here = __file__.rpartition("/")[0]
    sys.path[:] = [place for place in sys.path if place != here]
    if sys.version_info >= (3, 8):
        if sys.dont_write_bytecode:
            keep(here)
        if "BIRTHMARK_CODE_AT" in os.environ:
            load(here).move(os.environ["BIRTHMARK_CODE_AT"])
        watch_extensions(here)
        sys.meta_path.insert(0, Waiting(here))
        if not NAMES.isdisjoint(sys.modules):
            sys.meta_path.pop(0)
            load(here).begin()


def step_aside():
    """Import the ``sitecustomize`` that comes next, if there is one."""
    own = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if own is not None:
            sys.modules["sitecustomize"] = own
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise


try:
    begin()
except Exception:
    pass
step_aside()
