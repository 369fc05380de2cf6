//! What `CUDA_VISIBLE_DEVICES` and its sisters hide.

use birthmark_core::Finding;
use birthmark_core::environment::Gpu;

/// How a framework numbers the devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As the driver lists them.
    Known,
    /// The fastest first: as listed only if all are alike.
    BySpeed,
}

/// Marks which devices a program sees, and finds the one that it sees as its first.
///
/// The list is read as CUDA reads it: numbers, or beginnings of unique ids; the first
/// that is neither ends it.
pub(super) fn apply(devices: &mut [Gpu], hidden: Option<&str>, order: Order) -> Finding<usize> {
    let alike = devices.windows(2).all(|pair| pair[0].name == pair[1].name);
    let in_doubt = order == Order::BySpeed && !alike;
    let doubt = "different GPUs, which CUDA numbers by speed: CUDA_DEVICE_ORDER is not PCI_BUS_ID";
    let Some(hidden) = hidden else {
        for device in devices.iter_mut() {
            device.visible = Some(true);
        }
        return if in_doubt {
            Finding::unknown(doubt)
        } else {
            (!devices.is_empty()).then_some(0).into()
        };
    };
    let items: Vec<_> = hidden.split(',').map(str::trim).collect();
    let by_number = items
        .first()
        .is_some_and(|item| item.parse::<usize>().is_ok());
    if in_doubt && by_number {
        return Finding::unknown(doubt);
    }
    if items.first().is_some_and(|item| item.starts_with("MIG-")) {
        return Finding::unknown("an instance of a GPU that is cut into several (MIG)");
    }
    let mut seen = Vec::new();
    for item in items {
        match place(devices, item) {
            Some(at) if !seen.contains(&at) => seen.push(at),
            _ => break,
        }
    }
    for (at, device) in devices.iter_mut().enumerate() {
        device.visible = Some(seen.contains(&at));
    }
    seen.first().copied().into()
}

/// The place of the device that an item of the list means.
fn place(devices: &[Gpu], item: &str) -> Option<usize> {
    if let Ok(number) = item.parse::<usize>() {
        return (number < devices.len()).then_some(number);
    }
    if item.len() < 4 {
        return None;
    }
    let starts = |gpu: &Gpu| {
        gpu.uuid
            .as_deref()
            .is_some_and(|uuid| uuid.starts_with(item))
    };
    let mut matches = devices
        .iter()
        .enumerate()
        .filter(|(_, gpu)| starts(gpu))
        .map(|(at, _)| at);
    matches.next().filter(|_| matches.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(names: &[&str]) -> Vec<Gpu> {
        let gpu = |(at, name): (usize, &&str)| Gpu {
            name: Some((*name).to_owned()),
            uuid: Some(format!("GPU-{at}abc")),
            memory_bytes: Some(1),
            compute_capability: None,
            mig: None,
            visible: None,
        };
        names.iter().enumerate().map(gpu).collect()
    }

    #[test]
    fn the_list_is_read_as_cuda_reads_it() {
        for (hidden, first, visible) in [
            (None, Some(0), "111"),
            (Some("2,0"), Some(2), "101"),
            (Some(""), None, "000"),
            (Some("-1"), None, "000"),
            (Some("0,-1,2"), Some(0), "100"),
            (Some("GPU-1"), Some(1), "010"),
            (Some("GPU-"), None, "000"),
            (Some("7"), None, "000"),
            (Some("1,1"), Some(1), "010"),
        ] {
            let mut gpus = devices(&["A", "A", "A"]);
            let found = apply(&mut gpus, hidden, Order::BySpeed);
            assert_eq!(found, first.into(), "{hidden:?}");
            let marks: String = gpus
                .iter()
                .map(|gpu| if gpu.visible == Some(true) { '1' } else { '0' })
                .collect();
            assert_eq!(marks, visible, "{hidden:?}");
        }
    }

    #[test]
    fn different_devices_without_a_known_order_are_unknown() {
        let first = |hidden, order| apply(&mut devices(&["A", "B"]), hidden, order);
        assert!(first(None, Order::BySpeed).reason().is_some());
        assert!(first(Some("1"), Order::BySpeed).reason().is_some());
        assert_eq!(first(Some("1"), Order::Known), Finding::Found(1));
        assert_eq!(first(Some("GPU-1"), Order::BySpeed), Finding::Found(1));
        assert!(first(Some("MIG-1"), Order::Known).reason().is_some());
    }
}
