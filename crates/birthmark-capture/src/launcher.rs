//! Who started us: SLURM, torchrun, pod.
