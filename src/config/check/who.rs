//! Checks the callers that a role is for.

use crate::config::check::{Checked, named, non_empty, texts};
use crate::config::raw;
use crate::error::{All as _, ConfigError, ConfigErrors, each};
use crate::policy::{
    CertificateTest, Claim, ClaimPath, ClaimTest, Network, Pattern, Schedule, Who,
};

/// The largest offset from UTC on Earth, in minutes.
const MAX_OFFSET: u16 = 14 * 60;

pub(super) fn who(raw: raw::Who, at: &str, issuers: Option<&[String]>) -> Checked<Who> {
    let is_named = raw.groups.is_some() || raw.subjects.is_some() || raw.claims.is_some();
    let whom = match is_named == raw.anyone {
        false => Ok(()),
        true => {
            let problem = "some of `groups`, `subjects` and `claims`, which must all hold, or \
                           `\"anyone\": true` is wanted";
            Err(ConfigError::at(at, problem))
        }
    };
    let listed = |list: Option<Vec<String>>, member: &str| -> Checked<Option<Vec<String>>> {
        let at = format!("{at}/{member}");
        if let Some(list) = &list {
            non_empty(&at, list, "a value of that claim")?;
            texts(&at, list)?;
        }
        Ok(list)
    };
    let networks = raw.networks.map(|list| networks(&list, &format!("{at}/networks"))).transpose();
    let certificate =
        raw.certificate.map(|test| certificate(test, &format!("{at}/certificate"))).transpose();
    let times = raw.times.map(|list| times(list, &format!("{at}/times"))).transpose();
    let named = named(&format!("{at}/issuer"), "issuer", &raw.issuer, issuers);
    let ((_, _), groups, subjects, claims, networks, certificate, times) = (
        (named, whom).all(),
        listed(raw.groups, "groups"),
        listed(raw.subjects, "subjects"),
        claims(raw.claims, &format!("{at}/claims")),
        networks,
        certificate,
        times,
    )
        .all()?;
    Ok(Who { issuer: raw.issuer, groups, subjects, claims, networks, certificate, times })
}

fn claims(raw: Option<raw::Members<raw::ClaimTest>>, at: &str) -> Checked<Vec<Claim>> {
    let Some(raw::Members(claims)) = raw else {
        return Ok(Vec::new());
    };
    non_empty(at, &claims, "a claim")?;
    let claim = |(name, test): (String, raw::ClaimTest)| {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        let path = ClaimPath::parse(&name).map_err(|why| ConfigError::at(&at, why));
        let (path, test) = (path, claim_test(test, &at)).all()?;
        Ok::<_, ConfigErrors>(Claim { path, test })
    };
    each(claims.into_iter().map(claim))
}

fn claim_test(test: raw::ClaimTest, at: &str) -> Checked<ClaimTest> {
    Ok(match test {
        raw::ClaimTest::Equals(value) => ClaimTest::Equals(value),
        raw::ClaimTest::AnyOf(values) => {
            non_empty(&format!("{at}/any_of"), &values, "a value")?;
            ClaimTest::AnyOf(values)
        }
        raw::ClaimTest::Pattern(text) => ClaimTest::Pattern(Pattern::new(&text)),
        raw::ClaimTest::AnyWordOf(words) => {
            let at = format!("{at}/any_word_of");
            non_empty(&at, &words, "a word")?;
            let word = |(index, word): (usize, &String)| match word.is_empty() || word.contains(' ')
            {
                false => Ok(()),
                true => {
                    let problem = "a word without blanks is wanted";
                    Err(ConfigError::at(format!("{at}/{index}"), problem))
                }
            };
            each(words.iter().enumerate().map(word))?;
            ClaimTest::AnyWordOf(words)
        }
        raw::ClaimTest::Absent(_) => ClaimTest::Absent,
    })
}

fn networks(list: &[String], at: &str) -> Checked<Vec<Network>> {
    non_empty(at, list, "a range of addresses")?;
    let network = |(index, text): (usize, &String)| {
        Network::parse(text).map_err(|why| ConfigError::at(format!("{at}/{index}"), why))
    };
    each(list.iter().enumerate().map(network))
}

fn certificate(raw: raw::Certificate, at: &str) -> Checked<CertificateTest> {
    match raw {
        raw::Certificate::Verified(_) => Ok(CertificateTest::Verified),
        raw::Certificate::Subjects(subjects) => {
            let at = format!("{at}/subjects");
            non_empty(&at, &subjects, "a distinguished name like CN=app,O=Acme")?;
            texts(&at, &subjects)?;
            Ok(CertificateTest::Subjects(subjects))
        }
        raw::Certificate::Sha256(digests) => {
            let at = format!("{at}/sha256");
            non_empty(&at, &digests, "a certificate's SHA-256")?;
            let digest = |(index, text): (usize, &String)| {
                let text = text.replace(':', "").to_ascii_lowercase();
                let fits = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let problem = "64 hexadecimal digits are wanted, as `openssl x509 -fingerprint \
                               -sha256` prints them";
                fits.then_some(text)
                    .ok_or_else(|| ConfigError::at(format!("{at}/{index}"), problem))
            };
            let digests = each(digests.iter().enumerate().map(digest))?;
            Ok(CertificateTest::Sha256(digests))
        }
    }
}

fn times(list: Vec<raw::Schedule>, at: &str) -> Checked<Vec<Schedule>> {
    non_empty(at, &list, "a span of time")?;
    let window = |(index, raw): (usize, raw::Schedule)| {
        let at = format!("{at}/{index}");
        let days =
            non_empty(&format!("{at}/days"), &raw.days, "a day: mon, tue, wed, thu, fri, sat, sun");
        let minute = |text: &str, member: &str| {
            Schedule::minute(text).ok_or_else(|| {
                let problem = format!("\"{text}\": a time like 08:30 is wanted");
                ConfigError::at(format!("{at}/{member}"), problem)
            })
        };
        let utc_offset = raw.utc_offset.as_deref().map_or(Some(0), offset).ok_or_else(|| {
            let problem = "an offset from UTC like +01:00 or -08:00 is wanted";
            ConfigError::at(format!("{at}/utc_offset"), problem)
        });
        let (_, from, to, utc_offset) =
            (days, minute(&raw.from, "from"), minute(&raw.to, "to"), utc_offset).all()?;
        if from == to {
            let problem = "the same as `from`: for whole days, 00:00 to 24:00 is wanted";
            return Err(ConfigError::at(format!("{at}/to"), problem).into());
        }
        Ok::<_, ConfigErrors>(Schedule { days: raw.days, from, to, utc_offset })
    };
    each(list.into_iter().enumerate().map(window))
}

fn offset(text: &str) -> Option<i16> {
    let (sign, rest) = text.split_at_checked(1)?;
    let minutes = Schedule::minute(rest).filter(|minutes| *minutes <= MAX_OFFSET)?;
    let minutes = i16::try_from(minutes).ok()?;
    match sign {
        "+" => Some(minutes),
        "-" => Some(-minutes),
        _ => None,
    }
}
