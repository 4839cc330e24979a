//! Labels: what Google takes.

use crate::config::check::Checked;
use crate::config::raw;
use crate::error::ConfigError;
use crate::vertex::{LabelValue, Labels, MAX_LABELS, is_label_name, is_label_value};

pub(in crate::config) fn labels(role: &raw::Role, at: &str) -> Checked<Labels> {
    let empty = raw::Members(Vec::new());
    let raw::Members(texts) = role.labels.as_ref().unwrap_or(&empty);
    let mut labels = Vec::new();
    for (name, value) in texts {
        let at = format!("{at}/labels/{name}");
        named(&at, name)?;
        if !is_label_value(value) {
            let problem = format!(
                "\"{value}\" is no label: at most 63 lower-case letters, digits, _ and - are wanted"
            );
            return Err(ConfigError::at(at, problem));
        }
        labels.push((name.clone(), LabelValue::Text(value.clone())));
    }
    if let Some(name) = &role.principal_label {
        let at = format!("{at}/principal_label");
        named(&at, name)?;
        if texts.iter().any(|(other, _)| other == name) {
            let problem = format!("{name} stands in `labels` as well; leave one of them");
            return Err(ConfigError::at(at, problem));
        }
        labels.push((name.clone(), LabelValue::Principal));
    }
    if labels.len() > MAX_LABELS {
        let problem = format!("{} labels; Google takes at most {MAX_LABELS}", labels.len());
        return Err(ConfigError::at(format!("{at}/labels"), problem));
    }
    Ok(Labels::new(labels))
}

fn named(at: &str, name: &str) -> Checked<()> {
    match is_label_name(name) {
        true => Ok(()),
        false => Err(ConfigError::at(
            at,
            format!(
                "\"{name}\" names no label: a lower-case letter, then at most 62 lower-case \
                 letters, digits, _ and - are wanted"
            ),
        )),
    }
}
