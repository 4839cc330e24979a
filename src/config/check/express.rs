//! Checks roles that act as an API key: Google's express mode has few methods, of Google's own models
//! alone, and no place to choose.

use super::Checked;
use crate::error::{ConfigError, ConfigErrors};
use crate::google::Credential;
use crate::policy::{May, Pattern, Role};
use crate::vertex::{EXPRESS_LOCATION, EXPRESS_PUBLISHER, express_methods};

pub(in crate::config) fn express(roles: &[Role], credentials: &[Credential]) -> Checked<()> {
    let has_key = |role: &&Role| {
        let credential = credentials.get(role.credential);
        credential.is_some_and(|credential| credential.source.is_api_key())
    };
    let faults = roles.iter().filter(has_key).flat_map(|role| faults(role.place, &role.may));
    ConfigErrors::unless_empty(faults.collect())
}

fn faults(place: usize, may: &May) -> Vec<ConfigError> {
    let others = |list: &str, patterns: &[Pattern], fits: &dyn Fn(&str) -> bool, wanted: &str| {
        let texts = patterns.iter().map(ToString::to_string).enumerate();
        let fault = |(index, text): (usize, String)| {
            let problem = format!(
                "\"{text}\" is not of Google's express mode, which is all that an API key reaches: \
                 {wanted} is wanted"
            );
            ConfigError::at(format!("/roles/{place}/may/{list}/{index}"), problem)
        };
        texts.filter(|(_, text)| !fits(text)).map(fault).collect::<Vec<_>>()
    };
    let projects = may
        .projects
        .iter()
        .enumerate()
        .filter(|(index, project)| *index > 0 || project.exact().is_none());
    let projects = projects.map(|(index, project)| {
        let problem = format!(
            "\"{project}\": an API key is of one project, which is charged whatever the path says: that \
             one alone is wanted"
        );
        ConfigError::at(format!("/roles/{place}/may/projects/{index}"), problem)
    });
    let models = format!("{EXPRESS_PUBLISHER}/");
    let methods = express_methods();
    [
        others("locations", &may.locations, &|text| text == EXPRESS_LOCATION, EXPRESS_LOCATION),
        others("models", &may.models, &|text| text.starts_with(&models), "google/ and a model"),
        others("methods", &may.methods, &|text| methods.contains(&text), &methods.join(", ")),
    ]
    .into_iter()
    .flatten()
    .chain(projects)
    .collect()
}
