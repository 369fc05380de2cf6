//! NVIDIA's devices, through NVML.

use std::ffi::OsStr;
use std::path::Path;

use birthmark_core::Finding;
use birthmark_core::environment::{Gpu, Gpus};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use super::visible::{self, Order};
use crate::process::{read_head, variable};

/// Where the library lies beside the loader's own places: WSL, Colab.
const PLACES: &[&str] = &[
    "libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
    "/usr/lib64-nvidia/libnvidia-ml.so.1",
];

/// More devices than any machine has: what says so is broken.
const DEVICES_MAX: u32 = 1024;

pub(super) fn gpus() -> Finding<Gpus> {
    match load() {
        Ok(Some(nvml)) => read(&nvml),
        Ok(None) if has_driver() => {
            Finding::unknown("NVIDIA's driver is here, but its library libnvidia-ml.so.1 is not")
        }
        Ok(None) => Finding::Absent,
        Err(error) => Finding::unknown(format!("NVML: {}", one_line(&error))),
    }
}

/// The library, if it is there.
fn load() -> Result<Option<Nvml>, NvmlError> {
    for place in PLACES {
        match Nvml::builder().lib_path(OsStr::new(place)).init() {
            Ok(nvml) => return Ok(Some(nvml)),
            Err(NvmlError::LibloadingError(error)) if is_missing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Not there, as against there and broken.
fn is_missing(error: &dyn std::error::Error) -> bool {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.contains("No such file") || text.contains("cannot find") || text.contains("not found")
}

fn has_driver() -> bool {
    Path::new("/proc/driver/nvidia/version").exists() || Path::new("/dev/nvidiactl").exists()
}

fn one_line(error: &NvmlError) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn read(nvml: &Nvml) -> Finding<Gpus> {
    let count = match nvml.device_count() {
        Ok(0) => return Finding::Absent,
        Ok(count) => count.min(DEVICES_MAX),
        Err(error) => return Finding::unknown(format!("NVML: {}", one_line(&error))),
    };
    let mut devices = Vec::new();
    for index in 0..count {
        match nvml.device_by_index(index) {
            Ok(device) => devices.push(gpu(&device)),
            Err(error) => {
                return Finding::unknown(format!("NVML, device {index}: {}", one_line(&error)));
            }
        }
    }
    let hidden = variable("CUDA_VISIBLE_DEVICES");
    let by_bus = variable("CUDA_DEVICE_ORDER").as_deref() == Some("PCI_BUS_ID");
    let order = if by_bus { Order::Known } else { Order::BySpeed };
    let first = visible::apply(&mut devices, hidden.as_deref(), order);
    Finding::Found(Gpus {
        devices,
        driver: nvml.sys_driver_version().ok().or_else(driver_by_file),
        cuda_driver: nvml.sys_cuda_driver_version().ok().map(cuda_version),
        visible_devices: hidden,
        first,
    })
}

/// The library, kept open.
pub(super) struct Memory(Nvml);

impl Memory {
    pub(super) fn open() -> Option<Self> {
        if !has_driver() {
            return None;
        }
        load().ok().flatten().map(Self)
    }

    pub(super) fn used_by(&self, pids: &[u32]) -> Option<u64> {
        use nvml_wrapper::enums::device::UsedGpuMemory;
        let count = self.0.device_count().ok()?.min(DEVICES_MAX);
        let devices = (0..count).filter_map(|index| self.0.device_by_index(index).ok());
        let processes =
            devices.flat_map(|device| device.running_compute_processes().unwrap_or_default());
        processes
            .filter(|process| pids.contains(&process.pid))
            .filter_map(|process| match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            })
            .reduce(|sum, one| sum + one)
    }
}

fn gpu(device: &Device<'_>) -> Gpu {
    Gpu {
        name: device.name().ok(),
        uuid: device.uuid().ok(),
        memory_bytes: device.memory_info().ok().map(|memory| memory.total),
        compute_capability: device
            .cuda_compute_capability()
            .ok()
            .map(|capability| format!("{}.{}", capability.major, capability.minor)),
        mig: device.mig_mode().ok().map(|mode| mode.current != 0),
        visible: None,
    }
}

/// 12040 is 12.4.
fn cuda_version(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// The version that the kernel's module says: `… Kernel Module  550.54.15  …`.
fn driver_by_file() -> Option<String> {
    let text = read_head("/proc/driver/nvidia/version", 4096)?;
    let line = text.lines().next()?;
    let number =
        |word: &&str| word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    line.split_whitespace().find(number).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_cuda_are_written_as_people_do() {
        assert_eq!(cuda_version(12040), "12.4");
        assert_eq!(cuda_version(11080), "11.8");
    }

    #[test]
    fn a_library_that_is_not_there_is_missing_and_a_broken_one_is_not() {
        let load = |path: &Path| Nvml::builder().lib_path(path.as_os_str()).init();
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("libnvidia-ml.so.1");
        let Err(NvmlError::LibloadingError(error)) = load(&path) else {
            panic!("loaded nothing")
        };
        assert!(is_missing(&error), "{error:?}");
        std::fs::copy("/etc/passwd", &path).expect("a file that is no library");
        let Err(NvmlError::LibloadingError(error)) = load(&path) else {
            panic!("loaded a text")
        };
        assert!(!is_missing(&error), "{error:?}");
    }
}
