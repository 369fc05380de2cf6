//! `Environment`: host, Python, packages, CUDA, GPUs. Found, never chosen.
