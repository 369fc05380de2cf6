//! How an [`Environment`] is written.

use serde_json::{Map, Value, json};

use super::{Cgroup, Cpu, Environment, Gpu, Gpus, Launch, NAMED_PACKAGES, Packages};
use crate::Finding;

/// Collects members, and the reasons of those that are unknown.
#[derive(Default)]
struct Writer {
    members: Map<String, Value>,
    unknown: Map<String, Value>,
}

impl Writer {
    /// A member that is always there: null where absent or unknown.
    fn always(&mut self, name: &str, finding: Finding<Value>) {
        let value = match finding {
            Finding::Found(value) => value,
            Finding::Absent => Value::Null,
            Finding::Unknown(reason) => {
                self.unknown.insert(name.to_owned(), Value::String(reason));
                Value::Null
            }
        };
        self.members.insert(name.to_owned(), value);
    }

    /// A member that is left out where it is absent.
    fn some(&mut self, name: &str, finding: Finding<Value>) {
        if finding != Finding::Absent {
            self.always(name, finding);
        }
    }
}

impl Environment {
    /// The environment as it is stored: the seven keys of the origin first and always
    /// there, then ours, and last `unknown` with the reason of each null that is none
    /// of knowledge. `gpu_memory_gb` is bytes / 10⁹.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut out = Writer::default();
        self.write_origin(&mut out);
        self.write_host(&mut out);
        self.write_gpus(&mut out);
        self.write_python(&mut out);
        self.write_place(&mut out);
        if !out.unknown.is_empty() {
            out.members
                .insert("unknown".to_owned(), Value::Object(out.unknown));
        }
        out.members
    }

    /// The version of an installed distribution, by its normalised name.
    pub fn package(&self, name: &str) -> Finding<String> {
        match &self.python {
            Finding::Found(python) => match &python.packages {
                Finding::Found(packages) => packages.version(name),
                Finding::Absent => Finding::Absent,
                Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
            },
            Finding::Absent => Finding::Absent,
            Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
        }
    }

    fn write_origin(&self, out: &mut Writer) {
        out.always("hostname", self.host.hostname.clone().map(Value::from));
        out.always(
            "python",
            self.python.as_ref().map(|python| json!(python.version)),
        );
        out.always("torch", self.torch_version().map(Value::from));
        out.always(
            "transformers",
            self.package("transformers").map(Value::from),
        );
        out.always("cuda", self.cuda().map(Value::from));
        let first = self.first_gpu();
        out.always(
            "gpu",
            attribute(&first, "name", |gpu| gpu.name.clone().map(Value::from)),
        );
        let gigabytes = |gpu: &Gpu| gpu.memory_bytes.map(gigabytes);
        out.always("gpu_memory_gb", attribute(&first, "memory", gigabytes));
    }

    /// What torch says of itself, else the version of its distribution.
    fn torch_version(&self) -> Finding<String> {
        let own = match &self.python {
            Finding::Found(python) => python.torch.found().and_then(|torch| torch.version.clone()),
            Finding::Absent | Finding::Unknown(_) => None,
        };
        own.map_or_else(|| self.package("torch"), Finding::Found)
    }

    /// What torch was built for; absent without torch, and for a build without CUDA.
    fn cuda(&self) -> Finding<String> {
        match &self.python {
            Finding::Found(python) => match &python.torch {
                Finding::Found(torch) => torch.cuda.clone().into(),
                Finding::Absent => Finding::Absent,
                Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
            },
            Finding::Absent => Finding::Absent,
            Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
        }
    }

    /// What a program sees as its first GPU.
    fn first_gpu(&self) -> Finding<&Gpu> {
        match &self.gpus {
            Finding::Found(gpus) => match &gpus.first {
                Finding::Found(at) => gpus.devices.get(*at).into(),
                Finding::Absent => Finding::Absent,
                Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
            },
            Finding::Absent => Finding::Absent,
            Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
        }
    }

    fn write_host(&self, out: &mut Writer) {
        let host = &self.host;
        out.always("os", host.os.clone().map(Value::from));
        out.always("kernel", host.kernel.clone().map(Value::from));
        out.always("arch", Finding::Found(json!(host.arch)));
        let model = |cpu: &Cpu| cpu.model.clone().map(Value::from);
        out.always("cpu", attribute(&host.cpu.as_ref(), "model", model));
        let count = |cpu: &Cpu| {
            cpu.logical.map(|logical| {
                json!({"logical": logical, "physical": cpu.physical, "allowed": cpu.allowed})
            })
        };
        out.always("cpu_count", attribute(&host.cpu.as_ref(), "count", count));
        out.always("memory_bytes", host.memory_bytes.clone().map(Value::from));
        out.some("cgroup", host.cgroup.as_ref().map(cgroup));
        out.some(
            "container",
            host.container
                .as_ref()
                .map(|container| json!({"kind": container.kind, "image": container.image})),
        );
    }

    fn write_gpus(&self, out: &mut Writer) {
        // An unknown one has its reason under `gpu` already.
        let Finding::Found(gpus) = &self.gpus else {
            return;
        };
        let mut optional = |name: &str, value: &Option<String>| {
            if let Some(value) = value {
                out.members.insert(name.to_owned(), json!(value));
            }
        };
        optional("cuda_driver", &gpus.cuda_driver);
        optional("gpu_driver", &gpus.driver);
        optional("visible_devices", &gpus.visible_devices);
        out.members.insert("gpus".to_owned(), devices(gpus));
    }

    fn write_python(&self, out: &mut Writer) {
        let Finding::Found(python) = &self.python else {
            return;
        };
        if let Some(implementation) = &python.implementation {
            out.members
                .insert("implementation".to_owned(), json!(implementation));
        }
        if let Some(executable) = &python.executable {
            out.members
                .insert("executable".to_owned(), json!(executable));
        }
        if let Finding::Found(torch) = &python.torch {
            for (name, value) in [("torch_hip", &torch.hip), ("torch_git", &torch.git_version)] {
                if let Some(value) = value {
                    out.members.insert(name.to_owned(), json!(value));
                }
            }
        }
        out.some("packages", python.packages.as_ref().map(named));
        let editable = python.packages.found().map(editable).unwrap_or_default();
        if !editable.is_empty() {
            out.members.insert("editable".to_owned(), json!(editable));
        }
        if let Finding::Found(packages) = &python.packages {
            for name in packages.ambiguous.keys() {
                if let Finding::Unknown(reason) = packages.version(name) {
                    out.unknown
                        .insert(format!("packages.{name}"), Value::String(reason));
                }
            }
        }
    }

    fn write_place(&self, out: &mut Writer) {
        out.some("launcher", self.launch.as_ref().map(launch));
        out.some(
            "pod",
            self.pod.as_ref().map(|pod| {
                let mut facts = Map::from_iter([("provider".to_owned(), json!(pod.provider))]);
                facts.extend(
                    pod.facts
                        .iter()
                        .map(|(name, value)| (name.clone(), json!(value))),
                );
                Value::Object(facts)
            }),
        );
        if !self.variables.is_empty() {
            out.members
                .insert("variables".to_owned(), json!(self.variables));
        }
    }
}

/// One attribute of a thing; a thing that is there without it is unknown in it.
fn attribute<T>(
    thing: &Finding<&T>,
    name: &str,
    get: impl FnOnce(&T) -> Option<Value>,
) -> Finding<Value> {
    match thing {
        Finding::Found(thing) => get(thing).map_or_else(
            || Finding::unknown(format!("its {name} cannot be read")),
            Finding::Found,
        ),
        Finding::Absent => Finding::Absent,
        Finding::Unknown(reason) => Finding::Unknown(reason.clone()),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "as the origin divides: a float, for people"
)]
fn gigabytes(bytes: u64) -> Value {
    json!(bytes as f64 / 1e9)
}

fn cgroup(cgroup: &Cgroup) -> Value {
    let mut out = Map::from_iter([("version".to_owned(), json!(cgroup.version))]);
    if let Some(bytes) = cgroup.memory_bytes {
        out.insert("memory_bytes".to_owned(), json!(bytes));
    }
    if let Some(cpus) = cgroup.cpus {
        out.insert("cpus".to_owned(), json!(cpus));
    }
    Value::Object(out)
}

fn devices(gpus: &Gpus) -> Value {
    let device = |gpu: &Gpu| {
        let members = [
            ("name", json!(gpu.name)),
            ("uuid", json!(gpu.uuid)),
            ("memory_bytes", json!(gpu.memory_bytes)),
            ("compute_capability", json!(gpu.compute_capability)),
            ("mig", json!(gpu.mig)),
            ("visible", json!(gpu.visible)),
        ];
        let known = members.into_iter().filter(|(_, value)| !value.is_null());
        Value::Object(
            known
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    };
    gpus.devices.iter().map(device).collect()
}

fn named(packages: &Packages) -> Value {
    let known = NAMED_PACKAGES.iter().filter_map(|name| {
        packages
            .by_name
            .get(*name)
            .map(|package| ((*name).to_owned(), json!(package.version)))
    });
    Value::Object(known.collect())
}

/// Those whose code can change without a change of version, with where it lies.
fn editable(packages: &Packages) -> Map<String, Value> {
    let loose = |package: &&super::Package| package.editable || package.source.is_some();
    packages
        .by_name
        .iter()
        .filter(|(_, package)| loose(package))
        .map(|(name, package)| {
            (
                name.clone(),
                json!(package.source.as_deref().unwrap_or("editable")),
            )
        })
        .collect()
}

fn launch(launch: &Launch) -> Value {
    json!({
        "kind": launch.kind,
        "rank": launch.rank,
        "world_size": launch.world_size,
        "local_rank": launch.local_rank,
    })
}
