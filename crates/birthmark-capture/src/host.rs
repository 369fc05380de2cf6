//! Machine, OS, CPU, memory, container.
