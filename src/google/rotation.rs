//! How the files of a credential are followed: each is read anew in time, what is new is made into a
//! source by the checks of the load and proved, and only then takes the place of the one in use.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fetch::{MAX_UNANSWERED, Reply, Request};
use crate::google::bearer::Bearers;
use crate::google::files::{Disk, HeldFile, Snapshot};
use crate::google::refresh::Refresh;
use crate::google::token::Token;
use crate::google::{Credential, CredentialSource, Hosts, TokenSource};
use crate::time::{Monotonic, Now, UnixTime};

/// Seconds between two looks at a credential's files.
const LOOK_SECS: i64 = 10;

/// Seconds after which files are looked at again that made no source: somebody may be writing them.
const DOUBT_SECS: i64 = 1;

const SECS_A_DAY: i64 = 24 * 3600;

/// How far what the files of a credential hold is from being in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is in use.
    InUse,
    /// It is new, and is being proved.
    Proving,
    /// It is new, and is not used.
    Refused,
    /// The files cannot be read.
    Unreadable,
}

/// The state of a credential's files at one moment.
#[derive(Clone, Debug)]
pub struct RotationStatus {
    /// How far what they hold is from being in use.
    pub stage: Stage,
    /// Since when, in seconds.
    pub secs: i64,
    /// Why it is not in use; it may quote an endpoint, never a secret.
    pub why: Option<String>,
    /// The id of the private key that is in use, if there is one.
    pub key_id: Option<String>,
    /// Seconds since the file was written, as far as that is known.
    pub file_age_secs: Option<i64>,
    /// Whether that is more than the operator wants; `None` where nobody said.
    pub is_overdue: Option<bool>,
    /// How often other contents came into use.
    pub taken: u64,
    /// How often new contents were refused.
    pub refusals: u64,
}

/// The files of one credential, followed.
#[derive(Debug)]
pub(super) struct Rotation {
    /// What the source in use was made from.
    held: Vec<HeldFile>,
    next_look: Monotonic,
    /// When the main file was written, and when it was at the first look.
    written: Option<UnixTime>,
    written_in_use: Option<UnixTime>,
    stage: Stage,
    since: Monotonic,
    why: Option<String>,
    /// Whether the latest look made no source, for the first time.
    has_doubt: bool,
    /// What was refused for good.
    refused: Option<Vec<HeldFile>>,
    candidate: Option<Candidate>,
    /// Fetches what proves the candidate.
    refresh: Refresh,
    is_told_overdue: bool,
    taken: u64,
    refusals: u64,
}

/// A source that is to be proved.
#[derive(Debug)]
struct Candidate {
    source: Arc<CredentialSource>,
    held: Vec<HeldFile>,
    /// Whose first token proves it, where it fetches none itself.
    proof: Option<TokenSource>,
}

impl Candidate {
    fn proof(&self) -> Option<&TokenSource> {
        self.proof.as_ref().or_else(|| self.source.token_source())
    }
}

impl Stage {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InUse => "in_use",
            Self::Proving => "proving",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Rotation {
    /// Those of each of these credentials, where it has files; `seed` is random.
    pub(super) fn of(credentials: &[Credential], seed: u64, now: Monotonic) -> Vec<Mutex<Self>> {
        let rotation = |credential: &Credential| {
            Mutex::new(Self {
                held: credential.files.as_ref().map(|files| files.held.clone()).unwrap_or_default(),
                next_look: now,
                written: None,
                written_in_use: None,
                stage: Stage::InUse,
                since: now,
                why: None,
                has_doubt: false,
                refused: None,
                candidate: None,
                refresh: Refresh::new(seed, now),
                is_told_overdue: false,
                taken: 0,
                refusals: 0,
            })
        };
        credentials.iter().map(rotation).collect()
    }

    /// Whether this stage, or this reason for it, is new.
    fn enter(&mut self, stage: Stage, why: Option<String>, now: Monotonic) -> bool {
        let is_new = self.stage != stage || self.why != why;
        if self.stage != stage {
            self.since = now;
        }
        (self.stage, self.why) = (stage, why);
        is_new
    }

    /// Has the files looked at.
    pub(super) const fn look_at(&mut self, at: Monotonic) {
        self.next_look = at;
    }

    /// What the files hold is in use.
    fn settle(&mut self, now: Monotonic) {
        self.drop_candidate(now);
        self.refused = None;
        self.has_doubt = false;
        self.written_in_use = self.written;
        self.enter(Stage::InUse, None, now);
    }

    fn drop_candidate(&mut self, now: Monotonic) {
        if self.candidate.take().is_some() {
            self.refresh.start_anew(now);
        }
    }

    /// The first look that fails is followed by another one soon; whether this was it.
    fn doubts(&mut self, now: Monotonic) -> bool {
        if self.has_doubt {
            return false;
        }
        self.has_doubt = true;
        self.next_look = now.plus_secs(DOUBT_SECS);
        true
    }
}

impl Bearers {
    /// Looks at the files that are due, one credential's in a step, and at those that a fetch that is
    /// due is made from. Returns whether another source came into use.
    pub fn look_at_files(&self, disk: Disk<'_>, now: Now) -> bool {
        let (mut has_looked, mut is_new) = (false, false);
        for (index, credential) in self.credentials.iter().enumerate() {
            if credential.files.is_none() {
                continue;
            }
            let Some(mut rotation) = self.rotation(index) else {
                continue;
            };
            let is_due = now.mono >= rotation.next_look && !has_looked;
            if is_due || (rotation.held.len() > 1 && self.is_fetch_due(index, now)) {
                has_looked |= is_due;
                is_new |= self.look(index, credential, &mut rotation, disk, now);
            }
        }
        is_new
    }

    /// The files that the sources in use were made from.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let files = self.credentials.iter().filter_map(|credential| credential.files.as_ref());
        files.flat_map(|files| files.held.iter().map(|file| file.path.as_path()))
    }

    /// Has the files of the credential of this name looked at as soon as can be; whether it has any.
    pub fn hurry(&self, name: &str, now: Monotonic) -> bool {
        let index = self.credentials.iter().position(|c| c.name == name && c.files.is_some());
        let rotation = index.and_then(|index| self.rotation(index));
        rotation.is_some_and(|mut rotation| {
            rotation.next_look = now;
            rotation.refused = None;
            // What failed is tried again.
            rotation.refresh.hurry(now);
            true
        })
    }

    /// The state of the files of the credential with this index, if it has any.
    #[must_use]
    pub fn rotation_status(&self, index: usize, now: Now) -> Option<RotationStatus> {
        let credential = self.credentials.get(index).filter(|c| c.files.is_some())?;
        let rotation = self.rotation(index)?;
        let file_age_secs = rotation.written.map(|written| (now.wall - written).max(0));
        Some(RotationStatus {
            stage: rotation.stage,
            secs: now.mono.millis_since(rotation.since) / 1000,
            why: rotation.why.clone(),
            key_id: credential.source.now().key_id().map(str::to_owned),
            file_age_secs,
            is_overdue: most_secs(credential)
                .map(|most| file_age_secs.is_some_and(|age| age >= most)),
            taken: rotation.taken,
            refusals: rotation.refusals,
        })
    }

    fn look(
        &self,
        index: usize,
        credential: &Credential,
        rotation: &mut Rotation,
        disk: Disk<'_>,
        now: Now,
    ) -> bool {
        let Some(files) = &credential.files else {
            return false;
        };
        let name = &credential.name;
        rotation.next_look = now.mono.plus_secs(LOOK_SECS);
        rotation.written = rotation.held.first().and_then(|file| (disk.written)(&file.path));
        rotation.written_in_use = rotation.written_in_use.or(rotation.written);
        tell_overdue(credential, rotation, now);
        let snapshot = Snapshot::new(disk.read);
        match snapshot.holds(&rotation.held) {
            Ok(true) => {
                if rotation.stage != Stage::InUse {
                    log::info!("credential {name}: its file holds what is in use again");
                }
                rotation.settle(now.mono);
                return false;
            }
            Ok(false) => {}
            Err(why) => {
                if !rotation.doubts(now.mono) {
                    rotation.drop_candidate(now.mono);
                    unreadable(name, rotation, &why, now.mono);
                }
                return false;
            }
        }
        let is_held = |held: &Vec<HeldFile>| snapshot.holds(held) == Ok(true);
        if rotation.candidate.as_ref().is_some_and(|candidate| is_held(&candidate.held))
            || rotation.refused.as_ref().is_some_and(is_held)
        {
            return false;
        }
        let (source, held) = files.make(&snapshot);
        match source.and_then(|source| self.fit(credential, source)) {
            Err(why) => {
                if !rotation.doubts(now.mono) {
                    rotation.drop_candidate(now.mono);
                    rotation.has_doubt = false;
                    rotation.refused = Some(held);
                    refuse(name, rotation, why, now.mono);
                }
                false
            }
            Ok(source) => {
                rotation.has_doubt = false;
                rotation.refused = None;
                self.prove(index, rotation, Arc::new(source), held, now)
            }
        }
    }

    /// The source, if it may take the place of the one in use.
    fn fit(
        &self,
        credential: &Credential,
        source: CredentialSource,
    ) -> Result<CredentialSource, String> {
        let identity = credential.google_identity();
        if source.identity() != identity {
            return Err(format!(
                "it is of {}, and this credential acts as {}: reload HAProxy for another identity",
                source.identity().unwrap_or("an unknown identity"),
                identity.unwrap_or("one that its file does not name")
            ));
        }
        match &source {
            CredentialSource::ServiceAccount { account, .. } if !account.is_whole() => {
                return Err("the public part of its key does not verify what it signs".to_owned());
            }
            CredentialSource::AccessToken(token) if token.len() > self.longest_token() => {
                return Err(format!(
                    "a token of {} bytes, and {} fit: set a larger VERTEX_MAXREWRITE",
                    token.len(),
                    self.longest_token()
                ));
            }
            CredentialSource::ServiceAccount { .. }
            | CredentialSource::AccessToken(_)
            | CredentialSource::ApiKey(_)
            | CredentialSource::Fetched(_)
            | CredentialSource::Exchanged(_) => {}
        }
        let in_use = credential.source.now();
        let known = |host: &str| {
            let mut endpoints = in_use.token_source().into_iter().flat_map(TokenSource::endpoints);
            endpoints.any(|endpoint| endpoint.authority == host)
        };
        let named = source.token_source().into_iter().flat_map(TokenSource::endpoints);
        let other = named.map(|endpoint| &endpoint.authority).find(|host| !known(host)).cloned();
        match other {
            Some(host) => Err(format!(
                "it names {host}, which the file in use does not: reload HAProxy for another host"
            )),
            None => Ok(source),
        }
    }

    /// Puts the source into use, or begins to prove it. Returns whether it is in use.
    fn prove(
        &self,
        index: usize,
        rotation: &mut Rotation,
        source: Arc<CredentialSource>,
        held: Vec<HeldFile>,
        now: Now,
    ) -> bool {
        rotation.drop_candidate(now.mono);
        let proof = match source.as_ref() {
            CredentialSource::ServiceAccount { account, .. } => {
                TokenSource::exchange(Arc::clone(account), &[], Hosts::GOOGLES)
                    .ok()
                    .filter(|proof| proof.endpoints().all(|at| self.can_ask(&at.authority)))
            }
            CredentialSource::AccessToken(_)
            | CredentialSource::ApiKey(_)
            | CredentialSource::Fetched(_)
            | CredentialSource::Exchanged(_) => None,
        };
        let candidate = Candidate { source, held, proof };
        // Another subject token in the same file is proved by the exchange that is due.
        let is_same = candidate.held.first() == rotation.held.first();
        if is_same || candidate.proof().is_none() {
            self.adopt(index, rotation, candidate, None, now);
            return true;
        }
        let (name, key) = (self.name(index), key(&candidate.source));
        log::info!("credential {name}: its file has changed, and is proved before it is used{key}");
        rotation.candidate = Some(candidate);
        rotation.refresh.start_anew(now.mono);
        rotation.enter(Stage::Proving, None, now.mono);
        false
    }

    fn adopt(
        &self,
        index: usize,
        rotation: &mut Rotation,
        candidate: Candidate,
        token: Option<&Token>,
        now: Now,
    ) {
        let Candidate { source, held, proof } = candidate;
        let is_same = held.first() == rotation.held.first();
        if let Some(credential) = self.credentials.get(index) {
            credential.source.replace(Arc::clone(&source));
        }
        rotation.held = held;
        rotation.settle(now.mono);
        match source.as_ref() {
            CredentialSource::ServiceAccount { .. } => self.want_signatures(index),
            CredentialSource::AccessToken(_) | CredentialSource::ApiKey(_) => {
                if let Some(header) = source.held() {
                    self.put(index, &header, None, now.mono);
                }
            }
            CredentialSource::Exchanged(_) => {}
            CredentialSource::Fetched(source) => {
                if let Some(token) = token.filter(|_| proof.is_none()) {
                    self.share(index, token, now.mono);
                    self.adopt_token(index, source, token, now);
                }
            }
        }
        if !is_same {
            rotation.taken = rotation.taken.saturating_add(1);
            let (name, key) = (self.name(index), key(&source));
            log::info!("credential {name}: what its file holds now is in use{key}");
        }
    }

    /// A request that proves what a file holds and that is due now: the credential's index, the
    /// request's number, and it. So few at once that they cannot use up HAProxy's tasks.
    pub(super) fn fetch_proof(&self, now: Now) -> Option<(usize, u32, Request)> {
        let indices = 0..self.rotations.len();
        let unanswered = |index| self.rotation(index).map_or(0, |r| r.refresh.unanswered());
        if indices.clone().map(unanswered).sum::<usize>() >= MAX_UNANSWERED {
            return None;
        }
        indices.into_iter().find_map(|index| {
            let mut rotation = self.rotation(index)?;
            let Rotation { candidate, refresh, .. } = &mut *rotation;
            let (number, request) = refresh.step(candidate.as_ref()?.proof()?, now)?;
            Some((index, number, request))
        })
    }

    /// Takes the reply to such a request.
    pub(super) fn answer_proof(&self, index: usize, number: u32, reply: &Reply, now: Now) -> bool {
        let Some(mut rotation) = self.rotation(index) else {
            return false;
        };
        let most = self.longest_token();
        let Rotation { candidate, refresh, .. } = &mut *rotation;
        let token = match candidate.as_ref().and_then(Candidate::proof) {
            Some(proof) => refresh.answer(proof, number, reply, most, now),
            None => {
                refresh.forget(number);
                return true;
            }
        };
        match token {
            Some(token) => {
                if let Some(candidate) = rotation.candidate.take() {
                    self.adopt(index, &mut rotation, candidate, Some(&token), now);
                }
            }
            None if rotation.refresh.record.failing_since.is_some() => {
                let failure = rotation.refresh.record.last_failure.clone();
                let why = failure.map(|(_, why)| why).unwrap_or_default();
                match rotation.stage {
                    // It is asked again and again, and told once.
                    Stage::Refused => drop(rotation.enter(Stage::Refused, Some(why), now.mono)),
                    _ => refuse(self.name(index), &mut rotation, why, now.mono),
                }
            }
            None => {}
        }
        true
    }

    fn name(&self, index: usize) -> &str {
        self.credentials.get(index).map_or("", |credential| &credential.name)
    }

    pub(super) fn rotation(&self, index: usize) -> Option<MutexGuard<'_, Rotation>> {
        Some(self.rotations.get(index)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `: key 17a8…`
fn key(source: &CredentialSource) -> String {
    source.key_id().map_or_else(String::new, |id| format!(": key {id}"))
}

fn refuse(name: &str, rotation: &mut Rotation, why: String, now: Monotonic) {
    let told = why.clone();
    if rotation.enter(Stage::Refused, Some(why), now) {
        rotation.refusals = rotation.refusals.saturating_add(1);
        log::warn!(
            "credential {name}: what its file holds now is not used: {told}; the one before serves on"
        );
    }
}

fn unreadable(name: &str, rotation: &mut Rotation, why: &str, now: Monotonic) {
    let has_changed = rotation.written.is_some() && rotation.written != rotation.written_in_use;
    let why = match has_changed {
        true => format!("it has changed, and {why}: reload HAProxy"),
        false => why.to_owned(),
    };
    let told = why.clone();
    if rotation.enter(Stage::Unreadable, Some(why), now) {
        log::warn!("credential {name}: its file is not followed: {told}");
    }
}

fn most_secs(credential: &Credential) -> Option<i64> {
    credential.max_age_days.map(|days| i64::from(days).saturating_add(1).saturating_mul(SECS_A_DAY))
}

fn tell_overdue(credential: &Credential, rotation: &mut Rotation, now: Now) {
    let age = rotation.written.map(|written| now.wall - written);
    let is_overdue = age.zip(most_secs(credential)).is_some_and(|(age, most)| age >= most);
    if is_overdue && !rotation.is_told_overdue {
        log::warn!(
            "credential {}: its file was written {} days ago, and max_age_days is {}",
            credential.name,
            age.unwrap_or(0) / SECS_A_DAY,
            credential.max_age_days.unwrap_or(0)
        );
    }
    rotation.is_told_overdue = is_overdue;
}
