//! Checks the variables of vertex.cfg that choose between two ways: any other word would silently
//! choose one of them.

use crate::error::ConfigError;
use crate::haproxy::{Haproxy, SWITCHES};

pub(super) fn faults(haproxy: &Haproxy) -> Vec<ConfigError> {
    let wrong = |(name, words): &(&'static str, [&str; 2])| {
        let given = haproxy.switches.get(name)?;
        let [one, other] = words;
        let problem =
            format!("HAProxy's variable {name} is \"{given}\": {one} or {other} is wanted");
        (!words.contains(&given.as_str())).then(|| ConfigError::at("", problem))
    };
    SWITCHES.iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::load::tests::read;

    #[test]
    fn a_switch_has_one_of_two_words() {
        let said = |line: &str| faults(&read(&format!("global\n {line}"))).len();
        for line in
            ["maxconn 1", "setenv VERTEX_ABORTONCLOSE off", "presetenv VERTEX_LOG_STYLE json"]
        {
            assert_eq!(said(line), 0, "{line}");
        }
        for line in ["setenv VERTEX_ABORTONCLOSE On", "setenv VERTEX_LOG_STYLE JSON"] {
            assert_eq!(said(line), 1, "{line}");
        }
    }
}
