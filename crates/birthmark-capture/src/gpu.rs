//! The accelerators: NVIDIA through NVML, AMD through the files of its driver.
//!
//! NVML is the library that comes with NVIDIA's driver; it is loaded when it is there,
//! so nothing needs to be installed and no program is run. It is asked on a thread of
//! its own: a driver that hangs costs its time limit and is *unknown*.
//!
//! # Limits
//!
//! * `memory_bytes` is what the device has. Frameworks say a little less, since the
//!   driver keeps some for itself.
//! * Where different GPUs stand in one machine and `CUDA_DEVICE_ORDER` is not
//!   `PCI_BUS_ID`, CUDA orders them by speed: which is the first is then unknown.
//! * Apple's and Intel's are not asked for.

mod amd;
mod nvidia;
mod visible;

use std::time::Duration;

use birthmark_core::Finding;
use birthmark_core::environment::Gpus;

use crate::probe::with_time_limit;

/// The accelerators of this machine, asked for at most `limit`.
pub fn gpus(limit: Duration) -> Finding<Gpus> {
    match with_time_limit("gpu", limit, look) {
        Finding::Found(answer) => answer,
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::Unknown(reason),
    }
}

/// The memory of NVIDIA's GPUs, for those who ask again and again.
pub struct GpuMemory(nvidia::Memory);

impl GpuMemory {
    /// `None` where there is no such GPU, or its driver does not answer.
    pub fn open() -> Option<Self> {
        nvidia::Memory::open().map(Self)
    }

    /// Bytes that these processes use on all devices together; `None` where they use none
    /// or the driver does not tell.
    pub fn used_by(&self, pids: &[u32]) -> Option<u64> {
        self.0.used_by(pids)
    }
}

fn look() -> Finding<Gpus> {
    match nvidia::gpus() {
        Finding::Absent => amd::gpus("/sys".as_ref()),
        Finding::Found(nvidia) => Finding::Found(nvidia),
        Finding::Unknown(reason) => match amd::gpus("/sys".as_ref()) {
            Finding::Found(amd) => Finding::Found(amd),
            Finding::Absent | Finding::Unknown(_) => Finding::Unknown(reason),
        },
    }
}
