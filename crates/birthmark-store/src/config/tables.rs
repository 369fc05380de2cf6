//! The tables `[lineage]` and `[snapshot]` of the settings.

use std::ops::Range;
use std::path::PathBuf;

use super::{Lineage, MEGABYTE, SnapshotLimits};

/// Reads the table `[lineage]`.
pub(super) fn lineage(
    value: &toml::Spanned<toml::de::DeValue<'_>>,
) -> Result<Lineage, (Range<usize>, String)> {
    let refuse = |span: Range<usize>, text: &str| (span, text.to_owned());
    let table = value.get_ref().as_table().ok_or_else(|| {
        refuse(
            value.span(),
            "`lineage` must be a table: [lineage] with `on`, `ignore`, `folders`",
        )
    })?;
    let mut lineage = Lineage::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "on" => {
                lineage.on = value
                    .get_ref()
                    .as_bool()
                    .ok_or_else(|| refuse(value.span(), "`on` must be true or false"))?;
            }
            "ignore" => {
                let globs = paths(value.get_ref())
                    .ok_or_else(|| refuse(value.span(), "`ignore` must be a list of globs"))?;
                lineage.ignore = globs
                    .into_iter()
                    .map(|glob| glob.to_string_lossy().into_owned())
                    .collect();
            }
            "folders" => {
                lineage.folders = paths(value.get_ref())
                    .ok_or_else(|| refuse(value.span(), "`folders` must be a list of folders"))?;
            }
            name => {
                let reason = format!(
                    "unknown setting `{name}` of `lineage`; there are `on`, `ignore`, `folders`"
                );
                return Err((key.span(), reason));
            }
        }
    }
    Ok(lineage)
}

/// A list of names of files and folders.
fn names(value: &toml::de::DeValue<'_>) -> Option<Vec<String>> {
    let name = |one: &toml::Spanned<toml::de::DeValue<'_>>| {
        let text = one.get_ref().as_str();
        let text = text.filter(|text| !text.is_empty() && !text.contains('/'));
        text.map(str::to_owned)
    };
    value.as_array()?.iter().map(name).collect()
}

/// A list of paths.
pub(super) fn paths(value: &toml::de::DeValue<'_>) -> Option<Vec<PathBuf>> {
    let path = |one: &toml::Spanned<toml::de::DeValue<'_>>| {
        let text = one.get_ref().as_str().filter(|text| !text.is_empty());
        text.map(PathBuf::from)
    };
    value.as_array()?.iter().map(path).collect()
}

/// Reads the table `[snapshot]`.
pub(super) fn snapshot_limits(
    value: &toml::Spanned<toml::de::DeValue<'_>>,
) -> Result<SnapshotLimits, (Range<usize>, String)> {
    let Some(table) = value.get_ref().as_table() else {
        return Err((value.span(), "`snapshot` must be a table".to_owned()));
    };
    let mut limits = SnapshotLimits::default();
    for (key, value) in table {
        if key.get_ref() == "caches" {
            limits.caches = names(value.get_ref())
                .ok_or_else(|| (value.span(), "`caches` must be a list of names".to_owned()))?;
            continue;
        }
        let megabytes = value.get_ref().as_integer().and_then(|number| {
            let number = u64::from_str_radix(number.as_str(), number.radix()).ok()?;
            number.checked_mul(MEGABYTE)
        });
        let place = match key.get_ref().as_ref() {
            "max_file_mb" => &mut limits.max_file,
            "max_total_mb" => &mut limits.max_total,
            name => {
                let reason = format!(
                    "unknown setting `snapshot.{name}`; there are `max_file_mb`, \
                     `max_total_mb`, `caches`"
                );
                return Err((key.span(), reason));
            }
        };
        *place = megabytes.ok_or_else(|| {
            let reason = format!("`{}` must be a whole number of megabytes", key.get_ref());
            (value.span(), reason)
        })?;
    }
    Ok(limits)
}
