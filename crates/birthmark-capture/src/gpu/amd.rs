//! AMD's devices, through the files of the amdgpu driver.

use std::fs;
use std::path::{Path, PathBuf};

use birthmark_core::Finding;
use birthmark_core::environment::{Gpu, Gpus};

use super::visible::{self, Order};
use crate::process::{read_head, read_word, variable};

/// AMD's number as a maker of devices.
const VENDOR: &str = "0x1002";

/// The devices below `sys` (`/sys`); absent where the driver shows none.
pub(super) fn gpus(sys: &Path) -> Finding<Gpus> {
    let mut cards = cards(&sys.join("class/drm"));
    cards.sort();
    let targets = targets(&sys.join("class/kfd/kfd/topology/nodes"));
    let mut devices: Vec<_> = cards
        .iter()
        .enumerate()
        .map(|(at, (_, device))| gpu(device, targets.get(at).cloned()))
        .collect();
    if devices.is_empty() {
        return Finding::Absent;
    }
    // A list of another length belongs to other devices.
    if targets.len() != devices.len() {
        for device in &mut devices {
            device.compute_capability = None;
        }
    }
    let hidden = [
        "ROCR_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "CUDA_VISIBLE_DEVICES",
    ]
    .iter()
    .find_map(|name| variable(name));
    let first = visible::apply(&mut devices, hidden.as_deref(), Order::Known);
    Finding::Found(Gpus {
        devices,
        driver: read_word(sys.join("module/amdgpu/version")),
        cuda_driver: None,
        visible_devices: hidden,
        first,
    })
}

/// Number and device folder of each card of the driver that has memory of its own.
fn cards(drm: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(drm) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry
                .file_name()
                .to_str()?
                .strip_prefix("card")?
                .parse()
                .ok()?;
            let device = entry.path().join("device");
            let amd = read_word(device.join("vendor"))? == VENDOR;
            (amd && device.join("mem_info_vram_total").exists()).then_some((number, device))
        })
        .collect()
}

fn gpu(device: &Path, target: Option<String>) -> Gpu {
    let number = |name: &str| read_word(device.join(name)).and_then(|word| word.parse().ok());
    let pci = || Some(format!("AMD device {}", read_word(device.join("device"))?));
    Gpu {
        name: read_word(device.join("product_name")).or_else(pci),
        uuid: read_word(device.join("unique_id")).map(|id| format!("GPU-{id}")),
        memory_bytes: number("mem_info_vram_total"),
        compute_capability: target,
        mig: None,
        visible: None,
    }
}

/// The instruction set of each compute node: 90010 is gfx90a.
fn targets(nodes: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(nodes) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, String)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            let text = read_head(entry.path().join("properties"), 1 << 16)?;
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("gfx_target_version "))?;
            let version: u32 = line.trim().parse().ok()?;
            let (major, minor, step) = (version / 10_000, version / 100 % 100, version % 100);
            (version > 0).then(|| (number, format!("gfx{major}{minor:x}{step:x}")))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, target)| target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "tests build their own world")]
    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("has a folder")).expect("folder");
        fs::write(path, text).expect("file");
    }

    #[test]
    fn cards_of_the_driver_are_read_in_the_order_of_their_numbers() {
        let sys = tempfile::tempdir().expect("temp dir");
        for (card, memory, name) in [
            (10, "64", "second"),
            (2, "68702699520", "AMD Instinct MI250X"),
        ] {
            let device = format!("class/drm/card{card}/device");
            put(sys.path(), &format!("{device}/vendor"), "0x1002\n");
            put(sys.path(), &format!("{device}/mem_info_vram_total"), memory);
            put(sys.path(), &format!("{device}/product_name"), name);
        }
        put(sys.path(), "class/drm/card0/device/vendor", "0x10de\n");
        put(sys.path(), "class/drm/card2-DP-1/status", "connected");
        for (node, version) in [(0, 0), (1, 90_010), (2, 110_000)] {
            let text = format!("simd_count 1\ngfx_target_version {version}\n");
            put(
                sys.path(),
                &format!("class/kfd/kfd/topology/nodes/{node}/properties"),
                &text,
            );
        }
        put(sys.path(), "module/amdgpu/version", "6.8.5\n");
        let Finding::Found(gpus) = gpus(sys.path()) else {
            panic!("not found")
        };
        let names: Vec<_> = gpus
            .devices
            .iter()
            .filter_map(|gpu| gpu.name.as_deref())
            .collect();
        assert_eq!(names, ["AMD Instinct MI250X", "second"]);
        assert_eq!(gpus.devices[0].memory_bytes, Some(68_702_699_520));
        assert_eq!(
            gpus.devices[0].compute_capability.as_deref(),
            Some("gfx90a")
        );
        assert_eq!(
            gpus.devices[1].compute_capability.as_deref(),
            Some("gfx1100")
        );
        assert_eq!(gpus.driver.as_deref(), Some("6.8.5"));
    }

    #[test]
    fn no_card_is_absent() {
        let sys = tempfile::tempdir().expect("temp dir");
        assert_eq!(gpus(sys.path()), Finding::Absent);
    }
}
