//! Which runs are one execution: the ranks of a launch, a command and the one script in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::session::Run;

/// The runs that are one execution with the run of this id, it among them.
pub fn with_run<'a>(runs: &'a [Run], id: &str) -> Vec<&'a Run> {
    let is_it = |group: &Vec<&Run>| group.iter().any(|run| run.id.as_str() == id);
    groups(runs).into_iter().find(is_it).unwrap_or_default()
}

/// Runs that are one execution, the one that speaks for it first.
pub(super) fn groups(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut launches: Vec<Vec<&Run>> = Vec::new();
    for run in runs {
        let same = |launch: &&mut Vec<&Run>| {
            launch.first().is_some_and(|first| {
                run.world_size > 1
                    && first.world_size == run.world_size
                    && first.argv == run.argv
                    && first.parent == run.parent
                    && launch.iter().all(|known| known.rank != run.rank)
            })
        };
        match launches.iter_mut().find(same) {
            Some(launch) => launch.push(run),
            None => launches.push(vec![run]),
        }
    }
    for launch in &mut launches {
        launch.sort_by_key(|run| run.rank);
    }
    join_only_children(&launches)
}

/// A command and the script that it names, if it ran no other, are one run: the command
/// speaks for both.
fn join_only_children<'a>(launches: &[Vec<&'a Run>]) -> Vec<Vec<&'a Run>> {
    let parent_of = |launch: &[&Run]| -> Option<usize> {
        let parent = launch.first()?.parent.as_ref()?;
        launches
            .iter()
            .position(|other| other.iter().any(|run| run.id == *parent))
    };
    let parents: Vec<Option<usize>> = launches.iter().map(|launch| parent_of(launch)).collect();
    let mut children: BTreeMap<usize, usize> = BTreeMap::new();
    for parent in parents.iter().flatten() {
        *children.entry(*parent).or_default() += 1;
    }
    let script = |at: usize| {
        launches[at]
            .first()
            .and_then(|run| run.script_name.as_ref())
    };
    let home = |mut at: usize| {
        let mut seen = BTreeSet::new();
        while let Some(parent) = parents[at]
            && children.get(&parent) == Some(&1)
            && script(parent) == script(at)
            && seen.insert(at)
        {
            at = parent;
        }
        at
    };
    let mut joined: BTreeMap<usize, Vec<&'a Run>> = BTreeMap::new();
    for at in 0..launches.len() {
        joined.entry(home(at)).or_default();
    }
    for (at, launch) in launches.iter().enumerate() {
        let group = joined.entry(home(at)).or_default();
        if home(at) == at {
            group.splice(0..0, launch.iter().copied());
        } else {
            group.extend(launch.iter().copied());
        }
    }
    joined.into_values().collect()
}
