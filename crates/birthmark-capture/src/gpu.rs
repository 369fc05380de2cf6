//! Devices, memory in bytes, driver, CUDA.
