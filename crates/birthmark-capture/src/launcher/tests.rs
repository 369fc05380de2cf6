use super::*;

fn with(pairs: &[(&str, &str)]) -> Option<Launch> {
    let variable = |name: &str| {
        pairs
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| (*value).to_owned())
    };
    detect(&Look {
        variable: &variable,
        launcher: &|name| Some(format!("boot-1-2-{name}")),
    })
}

fn torchrun<'a>(rank: &'a str, world: &'a str, id: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("RANK", rank),
        ("WORLD_SIZE", world),
        ("LOCAL_RANK", rank),
        ("LOCAL_WORLD_SIZE", "2"),
        ("MASTER_ADDR", "10.0.0.1"),
        ("MASTER_PORT", "29500"),
        ("TORCHELASTIC_RUN_ID", id),
    ]
}

#[test]
fn ranks_of_one_launch_have_one_key_and_other_launches_another() {
    for (world, other_id) in [("2", "none"), ("4", "other")] {
        let first = with(&torchrun("0", world, "none")).expect("a launch");
        let second = with(&torchrun("1", world, "none")).expect("a launch");
        assert_eq!(
            (first.kind.as_str(), first.rank, second.rank),
            ("torchrun", 0, 1)
        );
        assert_eq!(first.key, second.key);
        assert!(first.key.is_some());
        let other = with(&torchrun("0", world, other_id)).expect("a launch");
        assert_eq!(other.key == first.key, other_id == "none");
    }
}

#[test]
fn each_launcher_is_told_by_its_variables() {
    let bare = [("RANK", "1"), ("WORLD_SIZE", "2")];
    let kinds: [(&[(&str, &str)], &str); 5] = [
        (&bare, "ranks"),
        (
            &[bare[0], bare[1], ("ACCELERATE_MIXED_PRECISION", "bf16")],
            "accelerate",
        ),
        (
            &[bare[0], bare[1], ("CROSS_RANK", "0"), ("CROSS_SIZE", "1")],
            "deepspeed",
        ),
        (
            &[
                ("OMPI_COMM_WORLD_RANK", "1"),
                ("OMPI_COMM_WORLD_SIZE", "2"),
                ("PMIX_NAMESPACE", "a@1"),
            ],
            "openmpi",
        ),
        (
            &[("PMI_RANK", "1"), ("PMI_SIZE", "2"), ("PMI_JOBID", "7")],
            "mpi",
        ),
    ];
    for (variables, kind) in kinds {
        let launch = with(variables).expect(kind);
        assert_eq!(
            (launch.kind.as_str(), launch.rank, launch.world_size),
            (kind, 1, Some(2))
        );
        assert!(
            launch.key.is_some_and(|key| key.starts_with(kind)),
            "{kind}"
        );
    }
}

#[test]
fn a_step_of_slurm_is_a_launch_and_a_batch_script_is_none() {
    let batch = [
        ("SLURM_JOB_ID", "7"),
        ("SLURM_PROCID", "0"),
        ("SLURM_NTASKS", "4"),
    ];
    assert_eq!(with(&batch), None);
    let step = [
        batch[0],
        batch[1],
        batch[2],
        ("SLURM_STEP_ID", "3"),
        ("SLURM_LOCALID", "0"),
    ];
    let launch = with(&step).expect("a launch");
    assert_eq!(
        (launch.kind.as_str(), launch.world_size, launch.local_rank),
        ("slurm", Some(4), Some(0))
    );
    assert!(launch.key.expect("a key").starts_with("slurm-7-3"));
}

#[test]
fn nonsense_in_the_variables_is_no_launch() {
    assert_eq!(with(&[]), None);
    assert_eq!(with(&[("RANK", "x"), ("WORLD_SIZE", "2")]), None);
    assert_eq!(with(&[("RANK", ""), ("WORLD_SIZE", "")]), None);
    assert_eq!(with(&[("RANK", "0")]), None);
}

#[test]
fn a_key_is_a_short_file_name_that_keeps_launches_apart() {
    let key_of = |text: &str| key("torchrun", &[Some(text.to_owned())]);
    assert_ne!(key_of("a/b"), key_of("a:b"));
    assert_ne!(key_of(&"x".repeat(400)), key_of(&"x".repeat(401)));
    for text in ["../../etc", "ünïcode", &"y".repeat(1000), "a\0b"] {
        let key = key_of(text);
        assert!(
            key.len() <= KEY_MAX && key.chars().all(is_plain) && !key.starts_with('.'),
            "{key}"
        );
    }
}
