//! Labels: what Google takes.

use crate::config::check::{Checked, One};
use crate::config::raw;
use crate::error::{All as _, ConfigError, each};
use crate::vertex::{LabelValue, Labels, MAX_LABELS, is_label_name, is_label_value};

pub(in crate::config) fn labels(role: &raw::RoleEntry, at: &str) -> Checked<Labels> {
    let empty = raw::Members(Vec::new());
    let raw::Members(texts) = role.labels.as_ref().unwrap_or(&empty);
    let text = |(name, value): &(String, String)| {
        let at = format!("{at}/labels/{name}");
        named(&at, name)?;
        if !is_label_value(value) {
            let problem = format!(
                "\"{value}\" is no label: at most 63 lower-case letters, digits, _ and - are wanted"
            );
            return Err(ConfigError::at(at, problem));
        }
        Ok((name.clone(), LabelValue::Text(value.clone())))
    };
    let principal = |name: &String| {
        let at = format!("{at}/principal_label");
        named(&at, name)?;
        if texts.iter().any(|(other, _)| other == name) {
            let problem = format!("{name} stands in `labels` as well; leave one of them");
            return Err(ConfigError::at(at, problem));
        }
        Ok((name.clone(), LabelValue::Principal))
    };
    let principal = role.principal_label.as_ref().map(principal).transpose();
    let (mut labels, principal) = (each(texts.iter().map(text)), principal).all()?;
    labels.extend(principal);
    if labels.len() > MAX_LABELS {
        let problem = format!("{} labels; Google takes at most {MAX_LABELS}", labels.len());
        return Err(ConfigError::at(format!("{at}/labels"), problem).into());
    }
    Ok(Labels::new(labels))
}

fn named(at: &str, name: &str) -> One<()> {
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
